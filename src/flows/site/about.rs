//! What the words and numbers of the other pages mean.

use maud::{Markup, html};

use super::Site;
use super::page::{Page, Tab};

/// Returns `about.html`.
pub(super) fn page(_site: &Site<'_>) -> Page {
    Page {
        path: "about.html".to_owned(),
        title: "About the numbers".to_owned(),
        description: "What the words and numbers of this site mean".to_owned(),
        tab: Tab::About,
        redirect: None,
        body: html! {
            h1 { "About the numbers" }
            @for (id, heading, entries) in sections() {
                section.card.prose aria-labelledby=(id) {
                    h2 id=(id) { (heading) }
                    dl { @for (term, meaning) in entries { dt { (term) } dd { (meaning) } } }
                }
            }
        },
    }
}

type Section = (&'static str, &'static str, Vec<(&'static str, Markup)>);

fn sections() -> Vec<Section> {
    vec![
        ("counts", "What is counted", counts()),
        ("states", "States of a group", states()),
        ("comparing", "Comparing", comparing()),
        ("complete", "How complete it is", complete()),
        ("reading", "Reading the pages", reading()),
    ]
}

fn counts() -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Event",
            html! { "A log line that starts a record, with the lines of a stack trace that belong to it." },
        ),
        (
            "Error",
            html! { "An event of level ERROR or above: ERROR, SEVERE, FATAL, CRITICAL, ALERT, EMERGENCY, PANIC. Also an event of \
            level INFO, or without a level, that carries a stack trace or is followed by one. A warning is not an error." },
        ),
        ("Error rate", html! { "Errors among the events of all levels in the same 24 hours." }),
        (
            "Group",
            html! { "Errors with one cause, as far as their text shows it: the exceptions and own frames of the stack trace \
            (of Java, Kotlin, Scala, Python, JavaScript, Go, Rust and .NET), \
            or the message with numbers, ids and other variables masked. A group's id depends on the event alone: \
            it is the same on every page, in every mail and on every machine." },
        ),
        (
            "Delivered twice",
            html! { "Objects with the same content in one application, as a log shipper produces when it retries. \
            They are counted once." },
        ),
    ]
}

fn states() -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Spiking",
            html! { "More events in the last full hour of delivered events than the group's own limit, which is computed \
            from the week before, without the last 24 hours. The number is how many times the limit." },
        ),
        ("New", html! { "Seen for the first time in the last 24 hours." }),
        (
            "Regressed",
            html! { "Back after at least 7 days without an event, during which its application kept logging." },
        ),
        ("Ongoing", html! { "Seen in the last 24 hours, as usual." }),
        ("Quiet", html! { "Seen in the last 14 days, but not in the last 24 hours." }),
        (
            "Silent",
            html! { "An application is silent when it has had no lines at all for longer than its longest gap in 14 days. \
            After a week it leaves the overview and stays in the list of applications. When all applications are silent, \
            log shipping has stopped, and the headline says so until lines arrive again." },
        ),
        (
            "Not read",
            html! { "An application or a source is not read when there may be newer lines, but a prefix could not be listed or an object \
            could not be read. It is then unknown whether it is silent." },
        ),
    ]
}

fn comparing() -> Vec<(&'static str, Markup)> {
    vec![
        (
            "vs. yesterday",
            html! { "The 24 hours before the page was made, compared with the 24 hours before those, which are cut where \
            today's delivered events end." },
        ),
        (
            "vs. last week",
            html! { "The same, seven days earlier, so that weekdays are compared with weekdays." },
        ),
        ("No earlier data", html! { "The ledger does not reach back that far." }),
        (
            "When it happens",
            html! { "Errors of 28 days by weekday and hour, UTC. Shades follow the square root of the count, \
            so that one bad hour does not hide the rest." },
        ),
    ]
}

fn complete() -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Lines",
            html! { "Every line that was read is an event, a continuation of one, or unparsed. \
            Unparsed lines are not lost: search finds them." },
        ),
        (
            "Damaged",
            html! { "An object whose compressed bytes end early or are wrong. Everything before the damage is counted." },
        ),
        (
            "Late objects",
            html! { "Objects may arrive hours late; their events are counted at their own time, so numbers of past days can grow." },
        ),
        (
            "Misdated",
            html! { "Events stamped before 2000, or more than a day after their object was stored: a clock was wrong. They count \
            in totals only; they are never the newest event and appear in no chart." },
        ),
    ]
}

fn reading() -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Times",
            html! { "UTC, unless switched to the time of this device with the button at the top. Charts stay in UTC." },
        ),
        (
            "‹ESC› and ‹U+202E›",
            html! { "Control characters and marks that change the direction of text are shown as codes: \
            text on these pages comes from logs and may be hostile." },
        ),
        (
            "Cut texts",
            html! { "Titles end after 300 characters (160 in lists), samples after 8 KiB, lists after 100 rows. \
            " code { "gzette search --fixed '…'" } " prints lines whole." },
        ),
        ("<*>", html! { "The parts that vary between the events of a group." }),
    ]
}
