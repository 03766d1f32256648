//! `gzette demo`: a week of made-up logs through the real pipeline.

use std::fs;
use std::path::{Path, PathBuf};

use super::CommandError;
use super::context::Context;
use super::run::show;
use crate::shell::config::{Config, ConfigFile};
use crate::shell::demo::write_objects;
use crate::shell::error::{Exit, Failure};
use crate::shell::project::Project;
use gzette_core::human;
use gzette_core::paste;

/// The arguments of `gzette demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Creates objects as FluentD would write them and a gzette.toml, then runs the normal pipeline on them.\n\
    Repeated, it starts over in the same folder."
)]
pub(super) struct Args {
    /// The folder; created if missing, cleared if it holds an earlier demo
    #[arg(long, default_value = "gzette-demo")]
    dir: PathBuf,
    /// Each seed gives a different week
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

const CONFIG: &str = r#"# Made by `gzette demo`.
state_dir = "state"

[[source]]
name = "demo"
url = "logs/"
layout = "{app}/{date:%Y%m%d}/"

[site]
dir = "site"
title = "gzette demo"

[[digest]]
name = "support"
to = ["support@example.com"]
from = "gzette@example.com"
transport = "file"
"#;

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let dir = std::path::absolute(&args.dir)?;
    start_over(&dir)?;
    let summary = write_objects(&dir, context.now_ms(), args.seed)?;
    let (objects, lines) = (human::plural(summary.objects, "object"), human::plural(summary.lines, "line"));
    context.ui.stage(
        "demo",
        &format!("{objects}, {lines}, {} in {}", human::bytes(summary.bytes), summary.dir.display()),
    );
    let config = Config::parse(CONFIG, &dir)?;
    let project = Project::new(config, ConfigFile::at(&dir.join("gzette.toml")), None);
    context.uses(&project.file, None);
    let done = context.stages_that_stop(&project, None)?.run()?;
    let left = Left::of(&dir, &project);
    if context.global.json {
        let mut json = serde_json::json!(done.summary);
        json["dashboard"] = left.dashboard.display().to_string().into();
        json["mail"] = left.mail.map(|mail| mail.display().to_string()).into();
        json["config"] = left.config.display().to_string().into();
        context.ui.result_json(&json)?;
    } else {
        show(&done, context)?;
        left.show(context)?;
    }
    // One object is damaged on purpose: that is what exit code 3 is for, and no failure of the demo.
    Ok(if done.exit == Exit::Partly { Exit::Fine } else { done.exit })
}

/// Empties the folder of an earlier demo; a folder of something else is left alone.
fn start_over(dir: &Path) -> Result<(), CommandError> {
    let config = dir.join("gzette.toml");
    let is_empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    let is_demo = fs::read_to_string(&config).is_ok_and(|text| text == CONFIG);
    if !is_empty && !is_demo {
        let message = format!("`{}` holds something else than a demo", dir.display());
        return Err(Failure::usage(message).hint("name another folder with --dir").into());
    }
    for part in ["logs", "state", "site"] {
        let part = dir.join(part);
        if part.exists() {
            fs::remove_dir_all(part)?;
        }
    }
    fs::create_dir_all(dir)?;
    Ok(fs::write(config, CONFIG)?)
}

/// What a demo leaves to be looked at.
struct Left {
    dashboard: PathBuf,
    mail: Option<PathBuf>,
    config: PathBuf,
}

impl Left {
    fn of(dir: &Path, project: &Project) -> Self {
        let mails = fs::read_dir(project.state.outbox()).into_iter().flatten().flatten();
        let mails = mails.map(|entry| entry.path());
        Self {
            dashboard: project.config.site.dir.join("index.html"),
            mail: mails.filter(|path| path.extension().is_some_and(|end| end == "eml")).max(),
            config: dir.join("gzette.toml"),
        }
    }

    fn show(&self, context: &Context) -> Result<(), CommandError> {
        let ui = &context.ui;
        ui.result("")?;
        ui.result(&format!("dashboard  {}", self.dashboard.display()))?;
        if let Some(mail) = &self.mail {
            ui.result(&format!("mail       {}", mail.display()))?;
        }
        // The demo may run before gzette is on the PATH.
        let program = std::env::current_exe().unwrap_or_else(|_| "gzette".into());
        let [program, config] =
            [&program, &self.config].map(|path| paste::quoted(path.as_os_str().as_encoded_bytes()));
        ui.result("try")?;
        for search in [
            "search timed out --since 2h",
            "search '\"basket\\\\\\\" is null\"' --output table",
            "search --fixed 'state CLOSED' --app checkout-api --count",
            "count --by app,level",
            "verify",
        ] {
            ui.result(&format!("  {program} --config {config} {search}"))?;
        }
        Ok(())
    }
}
