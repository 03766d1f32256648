//! The view that pages and mails are rendered from: every number a person sees, worked out once from
//! the ledger and `now`. Rendering (`site`, `digest`) reads the view and nothing else.

mod view;

pub use view::{
    AppView, Bucket, Change, Completeness, Figures, GroupState, GroupView, Heat, ObjectProblem, SampleView,
    Series, SilentApp, SourceView, Verdict, View,
};
