//! Transports for a finished mail: SMTP, SES, a folder of .eml files.
