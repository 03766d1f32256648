-- A mail that was not taken waits for days, with growing pauses: since when it fails, when it is tried next, the kind of the
-- failure (mail::MailErrorKind) and a mark of the setting that it was tried with. One that is given up stays, until a mail
-- that tells so (told_by) has been sent.
ALTER TABLE outbox ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN first_failed_ms INTEGER;
ALTER TABLE outbox ADD COLUMN next_try_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN setting TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN given_up_ms INTEGER;
ALTER TABLE outbox ADD COLUMN told_by INTEGER;
ALTER TABLE outbox ADD COLUMN told_ms INTEGER;
-- Until now a mail was given up after five tries.
UPDATE outbox SET first_failed_ms = created_ms WHERE sent_ms IS NULL AND attempts > 0;
UPDATE outbox SET given_up_ms = created_ms WHERE sent_ms IS NULL AND attempts >= 5;
-- What tells this installation from all others, in Message-IDs.
INSERT INTO fact (name, value) VALUES ('installation', lower(hex(randomblob(8)))) ON CONFLICT (name) DO NOTHING;
