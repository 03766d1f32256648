//! The view that pages and mails are rendered from: every number a person sees, worked out once from
//! the ledger and `now`. Rendering (`site`, `digest`) reads the view and nothing else.

mod apps;
mod build;
mod completeness;
mod facts;
mod families;
mod figures;
mod groups;
mod pile;
mod samples;
#[cfg(test)]
mod tests;
mod verdict;
mod view;

pub use build::{ReportError, ReportSettings, build, states};
pub use view::{
    AppView, Bucket, Change, Completeness, Family, Figures, GroupState, GroupView, Heat, MailView,
    ObjectProblem, PagesTrouble, SampleView, Series, SilentApp, SourceView, Verdict, View,
};
