//! The transport setting and texts from outside.

use super::*;

fn smtp(text: &str) -> SmtpSetting {
    match text.parse().unwrap() {
        TransportSetting::Smtp(setting) => setting,
        other => panic!("`{text}` is {other:?}"),
    }
}

fn reason(text: &str) -> String {
    let error = text.parse::<TransportSetting>().unwrap_err();
    assert_eq!(error.kind, MailErrorKind::Config);
    error.to_string()
}

#[test]
fn ports_and_tls_follow_the_scheme_unless_told_otherwise() {
    for (text, port, tls) in [
        ("smtp://mail.example.com", 587, SmtpTls::Starttls),
        ("smtp://mail.example.com/", 587, SmtpTls::Starttls),
        ("smtp://mail.example.com:25", 25, SmtpTls::Starttls),
        ("smtp://mail.example.com:465", 465, SmtpTls::Tls),
        ("smtp://mail.example.com:465?tls=starttls", 465, SmtpTls::Starttls),
        ("smtp://mail.example.com?tls=tls", 465, SmtpTls::Tls),
        ("smtp://mail.example.com?tls=none", 25, SmtpTls::None),
        ("smtps://mail.example.com", 465, SmtpTls::Tls),
        ("smtps://mail.example.com:2465", 2465, SmtpTls::Tls),
    ] {
        let setting = smtp(text);
        assert_eq!((setting.port, setting.tls), (port, tls), "{text}");
        assert_eq!(setting.host, "mail.example.com", "{text}");
    }
    assert_eq!("file".parse::<TransportSetting>().unwrap(), TransportSetting::File);
    assert_eq!("".parse::<TransportSetting>().unwrap(), TransportSetting::File);
    assert_eq!("ses".parse::<TransportSetting>().unwrap(), TransportSetting::Ses);
}

#[test]
fn users_and_passwords_are_percent_decoded() {
    let setting = smtp("smtp://ops%40example.com:p%40ss%3A%2F@[::1]:2525?tls=none");
    assert_eq!(setting.user.as_deref(), Some("ops@example.com"));
    assert_eq!(setting.password.as_deref(), Some("p@ss:/"));
    assert_eq!((setting.host.as_str(), setting.port), ("::1", 2525));
    assert!(setting.is_local());
    assert_eq!(setting.place(), "smtp://[::1]:2525");

    let unencoded = smtp("smtp://ops@example.com@mail.example.com");
    assert_eq!(unencoded.user.as_deref(), Some("ops@example.com"));
    assert_eq!(unencoded.password, None);
}

#[test]
fn a_wrong_setting_names_the_part_and_what_is_allowed() {
    assert!(reason("http://x").contains("`http://` is not a transport; allowed: `file`, `ses`"));
    assert!(reason("sendmail").contains("`sendmail` is not a transport"));
    assert!(reason("smtp://").contains("the host ``"));
    assert!(reason("smtp://a b").contains("the host `a b`"));
    assert!(reason("smtp://host:0").contains("the port `0`"));
    assert!(reason("smtp://host:70000").contains("the port `70000`"));
    assert!(reason("smtp://[::1").contains("has no `]`"));
    assert!(reason("smtp://host?tls=maybe").contains("allowed: `starttls`, `tls`, `none`"));
    assert!(reason("smtp://host?timeout=3").contains("the option `timeout` is unknown"));
    assert!(reason("smtps://host?tls=none").contains("`smtps://` is implicit TLS"));
    assert!(reason("smtp://:x@host").contains("the user before `@` is empty"));
    assert!(reason("smtp://u%0d%0a@host").contains("control characters"));
}

#[test]
fn a_password_is_in_no_message() {
    for text in [
        "smtp://ops:hunter2@ho st",
        "smtp://ops:hunter2@host:0",
        "smtp://ops:hunter2@host?x=y",
        "http://ops:hunter2@host",
        "ops:hunter2@host",
        "smtp://ops:hunter2/host",
        "ops:hunter2@host://x",
    ] {
        assert!(!reason(text).contains("hunter2"), "{}", reason(text));
    }
    let setting = smtp("smtp://ops:hunter2@host");
    assert!(!format!("{setting:?}").contains("hunter2"));
}

#[test]
fn a_password_does_not_cross_the_network_in_the_clear() {
    let options = MailOptions { smtp_password: Some("secret".to_owned()), ..MailOptions::default() };
    let open = |text: &str| SmtpTransport::new(&smtp(text), &options);
    let refused = open("smtp://ops@mail.example.com?tls=none").err().unwrap();
    assert_eq!(refused.kind, MailErrorKind::Config);
    assert!(open("smtp://ops@localhost?tls=none").is_ok());
    assert!(open("smtp://mail.example.com?tls=none").is_ok());
    let missing = SmtpTransport::new(&smtp("smtp://ops@localhost"), &MailOptions::default());
    assert!(missing.err().unwrap().reason.contains("GZETTE_SMTP_PASSWORD"));
}

#[test]
fn addresses_are_checked_before_they_become_headers() {
    assert_eq!(mailbox(" Ops Team <ops@example.com>").unwrap().email.to_string(), "ops@example.com");
    assert!(mailbox("ops@example.com").unwrap().name.is_none());
    for text in
        ["ops", "ops@", "a@b\r\nBcc: c@d", "x <a@b>\nX: y", "ops@exämple.com", "\u{202e}x <a@b.c>", ""]
    {
        assert_eq!(mailbox(text).unwrap_err().kind, MailErrorKind::Config, "{text:?}");
    }
}
