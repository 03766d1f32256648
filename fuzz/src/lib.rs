//! What the fuzz targets share. The core of gzette is compiled from its files rather than through the crate: it needs
//! neither the AWS client nor tantivy, which would take most of the time of a build, and all of it is instrumented.

#[path = "../../src/decode/mod.rs"]
pub mod decode;
#[path = "../../src/group/mod.rs"]
pub mod group;
#[path = "../../src/model/mod.rs"]
pub mod model;
#[path = "../../src/overrides.rs"]
pub mod overrides;
#[path = "../../src/parse/mod.rs"]
pub mod parse;
#[path = "../../src/partial/mod.rs"]
pub mod partial;
#[path = "../../src/plan/mod.rs"]
pub mod plan;
#[path = "../../src/query/mod.rs"]
pub mod query;
#[path = "../../src/words/mod.rs"]
pub mod words;

pub mod object;
pub mod store;
