//! The page of an id that a group had by earlier rules: links in old mails and notes lead on to the group.

use maud::html;

use super::page::{Page, Tab};
use super::text;
use crate::flows::report::GroupView;
use gzette_core::model::GroupId;

/// Returns `g/<old>.html`, which leads to the page of `group`.
pub(super) fn page(old: GroupId, group: &GroupView) -> Page {
    let new = group.id;
    let target = format!("{new}.html");
    Page {
        path: format!("g/{old}.html"),
        title: format!("{old} is now {new}"),
        description: format!("The error group {old} now has the id {new}"),
        tab: Tab::None,
        redirect: Some(target.clone()),
        body: html! {
            h1 { "This group has a new id" }
            p.lead { "Under the current grouping rules, most events of " code { (old) } " are in "
                a href=(target) { code { (new) } } ":" }
            p { a href=(target) { bdi { (text::line(&group.title, 200)) } } }
        },
    }
}
