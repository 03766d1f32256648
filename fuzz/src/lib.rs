//! What the fuzz targets share.

pub mod object;
pub mod store;
