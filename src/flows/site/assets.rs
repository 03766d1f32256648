//! The style sheet, the script and the icon: embedded, named by their content so that they can be kept for ever.

use super::File;

const CSS: &str = include_str!("../../../assets/site.css");
const JS: &str = include_str!("../../../assets/site.js");
const ICON: &str = include_str!("../../../assets/favicon.svg");

/// The paths of the assets, from the root of the site.
pub(super) struct Assets {
    pub(super) css: String,
    pub(super) js: String,
    pub(super) icon: String,
}

impl Assets {
    /// Returns the names of the embedded files.
    pub(super) fn new() -> Self {
        Self { css: named("site", "css", CSS), js: named("site", "js", JS), icon: named("icon", "svg", ICON) }
    }

    /// Returns the files.
    pub(super) fn files(&self) -> Vec<File> {
        let file = |path: &str, content_type, text: &str| File {
            path: path.to_owned(),
            content_type,
            bytes: text.as_bytes().to_vec(),
            immutable: true,
        };
        vec![
            file(&self.css, "text/css; charset=utf-8", CSS),
            file(&self.js, "text/javascript; charset=utf-8", JS),
            file(&self.icon, "image/svg+xml", ICON),
        ]
    }
}

fn named(stem: &str, ending: &str, text: &str) -> String {
    let checksum = blake3::hash(text.as_bytes()).to_hex();
    format!("assets/{stem}.{}.{ending}", &checksum[..10])
}
