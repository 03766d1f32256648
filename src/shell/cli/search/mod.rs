//! `gzette search`: lines, offline.

mod counting;
mod fields;
mod follow;
mod hints;
pub(super) mod output;
mod save;

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::CommandError;
use super::context::{Context, stop_flag};
use super::filter::Filter;
use super::remote::Remote;
use super::scanning::Scanning;
use crate::flows::search::{Around, Histogram, Library, Request, SearchReport, Tally, search};
use crate::shell::error::{Exit, Failure};
use crate::shell::ui::Ui;
use counting::Key;
use fields::FieldReader;
use gzette_core::human;
use gzette_core::model::ObjectVersion;
use gzette_core::partial::SourceSettings;
use gzette_core::query::{Expr, has_old_name_of_custom, lower_case_operator};
use output::{Output, Printer};
use save::SavedFile;

/// By default, a terminal shows at most this many lines.
const SCREEN_LINES: usize = 200;

const SHELL_HINT: &str = "the shell takes one pair of quotes: write '\"two words\"', or use --fixed";

/// The arguments of `gzette search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gzette search timeout order --app checkout-api --since 4h     both words\n  \
    gzette search '\"Read timed out\"' --level error -C 3           exactly this text, with context\n  \
    gzette search 'level>=warn AND NOT (retry OR /timed? out/i)'   an expression\n  \
    gzette search 'status>=500 logger:Basket' -o table            fields of the line\n  \
    gzette search --fixed 'user=\"a b\"' --count                    like grep -F\n  \
    gzette search level:error --by app,hour --since 1d             counts; also --histogram\n  \
    gzette search timeout --since 4h --save hits.csv.gz           save everything to a file\n  \
    gzette search --group hyc3xeyydbrx --output json              one error group\n\
    On a terminal, only the newest 200 lines are shown; a file or a pipe gets all of them.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Args {
    /// Words, "exact texts", /regexes/, prefix*, field:value, joined by AND, OR, NOT and parentheses
    #[arg(value_name = "TEXT")]
    text: Vec<OsString>,
    /// Take each argument as bytes, like grep -F
    #[arg(short = 'F', long)]
    fixed: bool,
    /// With --fixed: ignore the case of ASCII letters, like grep -iF
    #[arg(short, long, requires = "fixed")]
    ignore_case: bool,
    #[command(flatten)]
    filter: Filter,
    /// Only what the last run took in
    #[arg(long, conflicts_with = "follow")]
    last_run: bool,
    /// Only the newest N lines; 0 for all; ignored with --count
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    around: AroundArgs,
    /// Print the newest 10 lines (or --limit), keep running, and print matches that other runs take in
    #[arg(short, long, conflicts_with_all = ["count", "by", "histogram", "save"])]
    follow: bool,
    /// Fetch nothing: objects that were pruned from the mirror are named but not searched
    #[arg(long)]
    offline: bool,
    /// Print only the number of lines
    #[arg(short, long)]
    count: bool,
    /// Count by app, level, hour, day (UTC), logger, thread, group, object, or any field of JSON or LTSV
    #[arg(long, value_delimiter = ',', value_name = "KEY,...", value_parser = counting::parse_key)]
    by: Vec<Key>,
    /// Count over time and draw bars
    #[arg(long, conflicts_with_all = ["by", "save", "open"])]
    histogram: bool,
    /// How lines are printed [default: raw]
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    output: Option<Output>,
    /// Also write all lines, without the limit, to a file; .csv, .json, .jsonl and .gz set the format
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "by"])]
    save: Option<PathBuf>,
    /// Print only the place of each line, `s3://bucket/key:LINE`, for `gzette show`
    #[arg(long, conflicts_with_all = ["count", "by", "output", "save", "before", "after", "context"])]
    open: bool,
}

/// The options for lines beside those asked for; of `search` and `show`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct AroundArgs {
    /// Also N lines of the object after each match
    #[arg(short = 'A', long = "after-context", value_name = "N")]
    after: Option<u64>,
    /// Also N lines of the object before each match
    #[arg(short = 'B', long = "before-context", value_name = "N")]
    before: Option<u64>,
    /// Also N lines before and after each match
    #[arg(short = 'C', long, value_name = "N")]
    context: Option<u64>,
}

impl Args {
    /// Whether lines are only counted, in whatever way.
    fn counts(&self) -> bool {
        self.count || self.histogram || !self.by.is_empty()
    }
}

impl AroundArgs {
    /// Returns how many lines are wanted; -A and -B go before -C, as with grep.
    pub(super) fn lines(self, otherwise: u64) -> Around {
        let both = self.context.or((self.after.is_none() && self.before.is_none()).then_some(otherwise));
        let both = both.unwrap_or(0);
        Around { before: self.before.unwrap_or(both), after: self.after.unwrap_or(both) }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let mut request = request(args, context)?;
    args.filter.check(&ledger)?;
    if args.last_run {
        request.only = Some(ledger.objects_of_last_run()?);
    }
    let (index, mirror, settings) = (project.index(&ledger)?, project.mirror(), project.ingest_settings());
    let remote = Remote::new(&project, args.offline);
    let fetch = |object: &ObjectVersion| remote.fetch(object);
    let streams = context.ui.is_terminal() && request.limit.is_none() && !args.counts();
    let scanning = Scanning::new(&context.ui, !streams);
    let library = Library {
        ledger: &ledger,
        index: index.as_ref(),
        mirror: &mirror,
        fetch: Some(&fetch),
        settings: &settings,
        progress: Some(&|progress| scanning.tell(progress)),
    };
    let asked = Asked { args, context, library: &library, settings: &settings, scanning: &scanning };
    if args.follow {
        return follow::follow(&asked, &request);
    }
    // The file is completed even if the reader of stdout has gone.
    let shown = if args.counts() { asked.count(&request) } else { asked.show(&request) };
    let saved = args.save.as_ref().map(|path| asked.save(path, &request)).transpose();
    scanning.end();
    let report = match (shown, saved?) {
        // All was read for the file, whether or not anybody looked on.
        (Ok(shown), Some(saved)) => SearchReport { unreadable: saved.unreadable, ..shown },
        (Err(CommandError::BrokenPipe), Some(saved)) => saved,
        (shown, _) => shown?,
    };
    remote.tell(&context.ui);
    if index.is_none() || report.index_failed {
        context.tell_of_index(&project);
    }
    let exit = finish(args, context, &request, &report)?;
    if report.hits == 0 && exit == Exit::Fine && !context.ui.is_quiet() {
        let text = if args.fixed { None } else { words(&args.text).ok() };
        if let Some(hint) = asked.hint(&request, text.as_deref())? {
            context.ui.hint(&hint);
        }
    }
    Ok(exit)
}

/// A search that is to be shown.
struct Asked<'a> {
    args: &'a Args,
    context: &'a Context,
    library: &'a Library<'a>,
    settings: &'a SourceSettings,
    scanning: &'a Scanning<'a>,
}

impl Asked<'_> {
    /// Searches and prints.
    fn show(&self, request: &Request) -> Result<SearchReport, CommandError> {
        let ui = &self.context.ui;
        let mut printer = self.printer(self.output(), ui.is_terminal().then_some(ui), request);
        let mut failure = None;
        let report = search(self.library, request, &mut |hit| {
            self.scanning.end();
            attempt(ui.results(|out| printer.line(&hit, out)), &mut failure)
        })?;
        if failure.is_none() {
            failure = ui.results(|out| printer.end(out)).err();
        }
        failure.map_or(Ok(report), |error| Err(error.into()))
    }

    /// Searches and prints how much was found, in one number, by keys or over time.
    fn count(&self, request: &Request) -> Result<SearchReport, CommandError> {
        let (ui, args) = (&self.context.ui, self.args);
        let output = self.output();
        let mut fields = FieldReader::new(self.settings);
        let mut tally = Tally::default();
        let mut histogram = Histogram::default();
        let report = search(self.library, request, &mut |hit| {
            if args.histogram {
                histogram.add(hit.time_ms);
            } else {
                tally.add(args.by.iter().map(|key| key.of(&hit, &mut fields)).collect());
            }
            ControlFlow::Continue(())
        })?;
        self.scanning.end();
        let text = if args.histogram {
            let window = self.args.filter.chosen(self.context)?.window_until(self.context.now_ms());
            counting::histogram(&histogram.into_buckets(window, counting::ROWS), output, ui.columns())
        } else if args.by.is_empty() {
            counting::total(report.hits, output)
        } else {
            counting::rows(&args.by, tally, output)
        };
        ui.result_bytes(text.as_bytes())?;
        Ok(report)
    }

    /// Searches once more without the limit, and writes all to a file.
    fn save(&self, path: &Path, request: &Request) -> Result<SearchReport, CommandError> {
        let request = Request { limit: None, ..request.clone() };
        flush(&self.context.ui)?;
        self.scanning.begin();
        let asked = self.context.global.json.then_some(Output::Json).or(self.args.output);
        let mut printer = self.printer(save::format_of(path, asked), None, &request);
        let mut file = SavedFile::create(path)?;
        let mut failure = None;
        let stop = stop_flag();
        let report = search(self.library, &request, &mut |hit| {
            if stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            attempt(file.write(|out| printer.line(&hit, out)), &mut failure)
        })?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::failed(format!("stopped; nothing was saved to `{}`", path.display())).into());
        }
        file.write(|out| printer.end(out))?;
        let length = human::bytes(file.finish()?);
        let lines = human::plural(report.hits, "line");
        self.context.ui.stage("save", &format!("{lines} in {} ({length})", path.display()));
        Ok(report)
    }

    fn printer<'p>(&'p self, output: Output, screen: Option<&'p Ui>, request: &'p Request) -> Printer<'p> {
        let fields = FieldReader::new(self.settings);
        Printer::new(output, screen, &request.expr, !request.around.is_none(), fields)
    }

    fn output(&self) -> Output {
        match (self.args.open, self.context.global.json) {
            (true, false) => Output::Place,
            (true, true) => Output::PlaceJson,
            (false, true) => Output::Json,
            (false, false) => self.args.output.unwrap_or(Output::Raw),
        }
    }
}

/// Flushes the output, if its reader is still there.
fn flush(ui: &Ui) -> Result<(), CommandError> {
    match ui.flush() {
        Err(error) if !error.is_gone() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Notes what failed, and goes on otherwise.
fn attempt<E>(result: Result<(), E>, failure: &mut Option<E>) -> ControlFlow<()> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            *failure = Some(error);
            ControlFlow::Break(())
        }
    }
}

fn request(args: &Args, context: &Context) -> Result<Request, CommandError> {
    let chosen = args.filter.chosen(context)?;
    let expr = expr(args, &context.ui)?;
    let on_screen = context.ui.is_terminal() && !args.counts();
    let limit = args.limit.or(on_screen.then_some(SCREEN_LINES)).filter(|&limit| limit > 0);
    Ok(Request {
        apps: chosen.apps,
        levels: chosen.levels,
        window: chosen.window,
        group: chosen.group,
        limit: limit.filter(|_| !args.counts()),
        count_only: args.count && args.by.is_empty() && !args.histogram,
        with_bytes: !args.counts() || args.by.iter().any(Key::reads_lines),
        with_groups: args.by.contains(&Key::Group),
        around: if args.counts() { Around::default() } else { args.around.lines(0) },
        ..Request::new(expr)
    })
}

/// Parses the search expression.
fn expr(args: &Args, ui: &Ui) -> Result<Expr, Failure> {
    let needles = args.text.iter().map(|text| text.as_bytes());
    if args.fixed {
        let fixed = if args.ignore_case { Expr::fixed_ignoring_case(needles) } else { Expr::fixed(needles) };
        return fixed.map_err(Failure::usage);
    }
    let text = words(&args.text)?;
    if let Some(word) = lower_case_operator(&text) {
        ui.note(&format!("`{word}` is searched as a word; the operator is `{}`", word.to_uppercase()));
    }
    if has_old_name_of_custom(&text) {
        ui.note("`rule:` is called `custom:` now: write `custom:NAME`");
    }
    Expr::parse(&text).map_err(|error| {
        let hint = error.hint.clone().unwrap_or_else(|| SHELL_HINT.to_owned());
        Failure::usage(error).hint(hint)
    })
}

/// Returns the arguments as one text.
fn words(args: &[OsString]) -> Result<String, Failure> {
    let words: Option<Vec<_>> = args.iter().map(|text| text.to_str()).collect();
    words
        .map(|words| words.join(" "))
        .ok_or_else(|| Failure::usage("the text to search for is not UTF-8").hint("--fixed takes any bytes"))
}

fn finish(
    args: &Args,
    context: &Context,
    request: &Request,
    report: &SearchReport,
) -> Result<Exit, CommandError> {
    let ui = &context.ui;
    flush(ui)?;
    let read = format!(
        "{} of {} read, {} of {}",
        human::count(report.objects_read),
        human::plural(report.objects, "object"),
        human::count(report.blocks_read),
        human::plural(report.blocks, "block"),
    );
    if ui.is_terminal() && !args.counts() {
        let shown = request.limit.map_or(report.hits, |limit| report.hits.min(limit as u64));
        let more = if shown < report.hits || request.limit.is_some_and(|limit| shown == limit as u64) {
            "the newest "
        } else {
            ""
        };
        ui.stage("search", &format!("{more}{}; {read}", human::plural(shown, "line")));
    } else {
        ui.detail(&read);
    }
    if report.duplicates > 0 {
        let objects = human::plural(report.duplicates, "object");
        ui.detail(&format!("{objects} skipped: another holds the same records"));
    }
    let unreadable = report.unreadable.len() as u64;
    ui.warn_of(&report.unreadable, unreadable, "`--verbose` names all", |(place, reason)| {
        format!("{place}: {reason}")
    });
    Ok(if report.unreadable.is_empty() { Exit::Fine } else { Exit::Partly })
}
