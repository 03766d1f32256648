//! gzette.toml: defaults, relative paths, unknown keys.
