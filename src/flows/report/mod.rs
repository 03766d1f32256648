//! The view that pages and mails are rendered from: every number a person sees, worked out once from
//! the ledger and `now`. Rendering (`site`, `digest`) reads the view and nothing else.

mod apps;
mod build;
mod clarity;
mod completeness;
mod facts;
mod families;
mod figures;
mod groups;
mod pile;
mod samples;
mod settings;
#[cfg(test)]
mod tests;
mod unread;
mod verdict;
mod view;

pub use build::{build, states, unread};
pub use clarity::{add_examples, unclear};
pub use settings::ReportSettings;
pub use unread::SourceShape;
pub use view::{
    AppView, Bucket, Change, Completeness, Dark, Family, Figures, GroupState, GroupView, Heat, MailView,
    ObjectProblem, PagesTrouble, ProblemKind, SampleRole, SampleView, Series, SilentApp, SourceView, Trouble,
    Unclear, Unread, UnreadPlace, Verdict, View,
};
