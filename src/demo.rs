//! A week of made-up FluentD objects, seeded.
