//! The view to static pages: maud, inline SVG, embedded assets.
