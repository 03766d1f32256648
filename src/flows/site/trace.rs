//! The text of a sample with its stack trace folded: runs of vendor frames behind a `<details>`, own frames
//! bright. [`gzette_core::group::frame_lines`] decides which frames are own, as for groups.

use maud::{Markup, html};

use super::format;
use super::text::{SAMPLE_BYTES, block};
use gzette_core::group::{FramePrefixes, frame_lines};

/// Shorter runs of vendor frames are not worth a click.
const FOLD_FROM: usize = 3;
/// More folds than this in one sample are a text that only looks like a trace.
const MAX_FOLDS: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Own,
    Vendor,
}

/// Returns a sample's text, capped and made visible.
pub(super) fn render(text: &str, frames: &FramePrefixes) -> Markup {
    let text = block(text, SAMPLE_BYTES);
    let lines = classify(&text, frames);
    if lines.iter().all(|(kind, _)| *kind == Kind::Text) {
        return html! { div.trace { pre { (text) } } };
    }
    let mut folds = 0;
    html! {
        div.trace {
            @for run in runs(&lines) {
                @let folded = run[0].0 == Kind::Vendor && run.len() >= FOLD_FROM && folds < MAX_FOLDS;
                @if folded {
                    ({ folds += 1; fold(run) })
                } @else {
                    pre { @for (kind, line) in run { (one_line(*kind, line)) } }
                }
            }
        }
    }
}

fn fold(run: &[(Kind, &str)]) -> Markup {
    html! {
        details {
            summary { (format::count(run.len() as u64)) " library frames" }
            pre.vendor { @for (_, line) in run { (line) "\n" } }
        }
    }
}

fn one_line(kind: Kind, line: &str) -> Markup {
    match kind {
        Kind::Text => html! { (line) "\n" },
        Kind::Own => html! { b { (line) } "\n" },
        Kind::Vendor => html! { span.vendor { (line) } "\n" },
    }
}

/// Cuts the lines where a fold begins or ends.
fn runs<'a, 'b>(lines: &'b [(Kind, &'a str)]) -> Vec<&'b [(Kind, &'a str)]> {
    let by_kind: Vec<_> = lines.chunk_by(|a, b| (a.0 == Kind::Vendor) == (b.0 == Kind::Vendor)).collect();
    let mut out: Vec<&[(Kind, &str)]> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for run in by_kind {
        if run[0].0 == Kind::Vendor && run.len() >= FOLD_FROM {
            if start < at {
                out.push(&lines[start..at]);
            }
            out.push(run);
            start = at + run.len();
        }
        at += run.len();
    }
    if start < at {
        out.push(&lines[start..]);
    }
    out
}

fn classify<'t>(text: &'t str, frames: &FramePrefixes) -> Vec<(Kind, &'t str)> {
    let mut out: Vec<(Kind, &str)> = Vec::new();
    let mut python = None;
    for (line, frame) in text.lines().zip(frame_lines(text, frames)) {
        let trimmed = line.trim_start();
        let kind = match (frame, python.take()) {
            (Some(is_own), _) => {
                let kind = if is_own { Kind::Own } else { Kind::Vendor };
                python = trimmed.starts_with("File \"").then_some(kind);
                kind
            }
            // The source line below a Python frame goes with it.
            (None, Some(kind)) if line.starts_with("    ") => kind,
            _ if trimmed.starts_with("... ") && trimmed.ends_with(" more") => Kind::Vendor,
            _ => Kind::Text,
        };
        out.push((kind, line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Kind::{Own, Text, Vendor};
    use super::*;

    const JAVA: &str = "java.lang.IllegalStateException: <b>x</b>
\tat com.acme.pay.Charge.run(Charge.java:88)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
\tat org.springframework.web.A.b(A.java:1)
\tat jdk.internal.reflect.M.invoke(Unknown Source)
\tat app//com.acme.Main.main(Main.java:3)
Caused by: java.io.IOException: closed
\tat java.base/java.io.X.y(X.java:1)
\t... 14 more";

    fn shown(text: &str) -> Markup {
        render(text, &FramePrefixes::default())
    }

    #[test]
    fn the_users_word_on_frames_holds_here_too() {
        let frames = FramePrefixes {
            own: vec!["org.springframework.web.A".to_owned()],
            foreign: vec!["com.acme.pay.".to_owned()],
        };
        let html = render(JAVA, &frames).into_string();
        assert!(html.contains("<b>\tat org.springframework.web.A.b(A.java:1)</b>"), "{html}");
        assert!(
            html.contains("<span class=\"vendor\">\tat com.acme.pay.Charge.run(Charge.java:88)</span>"),
            "{html}"
        );
    }

    #[test]
    fn vendor_frames_fold_and_own_frames_stand_out() {
        let html = shown(JAVA).into_string();
        assert_eq!(html.matches("<details>").count(), 1);
        assert!(html.contains("3 library frames"));
        assert!(html.contains("<b>\tat com.acme.pay.Charge.run(Charge.java:88)</b>"));
        assert!(html.contains("<b>\tat app//com.acme.Main.main(Main.java:3)</b>"));
        assert!(html.contains(r#"<span class="vendor">	... 14 more</span>"#));
        assert!(html.contains("&lt;b&gt;x&lt;/b&gt;"));
    }

    #[test]
    fn no_line_of_a_sample_is_lost_by_folding() {
        let stripped = |html: &str| {
            let mut out = String::new();
            let mut depth = 0;
            for c in html.chars() {
                match c {
                    '<' => depth += 1,
                    '>' => depth -= 1,
                    _ if depth == 0 => out.push(c),
                    _ => {}
                }
            }
            out.replace("&lt;", "<").replace("&gt;", ">").replace("3 library frames", "")
        };
        assert_eq!(stripped(&shown(JAVA).into_string()).trim_end(), JAVA);
    }

    #[test]
    fn frames_of_other_languages_are_told_apart() {
        let kinds = |text: &str| {
            classify(text, &FramePrefixes::default()).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        let python = "Traceback (most recent call last):\n  File \"/app/pay.py\", line 3, in run\n    charge()\n  File \"/usr/lib/python3/json.py\", line 1, in x\n    y\nKeyError";
        assert_eq!(kinds(python), [Text, Own, Own, Vendor, Vendor, Text]);
        let node = "Error: x\n    at pay (/app/pay.js:3:1)\n    at node:internal/process:9:5\n    at f (/app/node_modules/express/r.js:1:1)";
        assert_eq!(kinds(node), [Text, Own, Vendor, Vendor]);
    }

    #[test]
    fn frames_are_judged_as_for_groups_in_every_language() {
        let kinds = |text: &str| {
            classify(text, &FramePrefixes::default()).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        let ruby = "no stock (Acme::NoStock)\n/app/cart.rb:3:in `pay'\n/usr/lib/ruby/3.1.0/net/http.rb:960:in `start'";
        assert_eq!(kinds(ruby), [Text, Own, Vendor]);
        let php = "RuntimeException: no stock in /app/src/Cart.php:3\nStack trace:\n#0 /app/vendor/x/Kernel.php(12): Acme\\Cart->pay()\n#1 /app/index.php(4): X\\Kernel->handle()\n#2 {main}";
        assert_eq!(kinds(php), [Text, Text, Own, Vendor, Own]);
        let elixir = "** (RuntimeError) no stock\n    (shop 0.1.0) lib/cart.ex:3: Shop.Cart.pay/1\n    (stdlib 4.2) gen_server.erl:1149: :gen_server.try_handle_call/4";
        assert_eq!(kinds(elixir), [Text, Own, Vendor]);
    }

    #[test]
    fn a_text_that_only_looks_like_a_trace_stays_bounded() {
        let hostile = " at java.x\n at java.x\n at java.x\nat\n".repeat(500);
        assert!(shown(&hostile).into_string().matches("<details>").count() <= MAX_FOLDS);
    }
}
