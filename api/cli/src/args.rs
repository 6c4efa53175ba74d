//! What can be typed. Data goes to stdout, everything else to stderr.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An ERP on a streaming SQL core: every number is a view that the stream keeps true.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Clone, Debug)]
pub struct Common {
    /// A file of settings (TOML); `millrace config` prints all of them with their defaults
    #[arg(long, global = true, env = "MILLRACE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Everything Millrace keeps
    #[arg(long, global = true, env = "MILLRACE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// How results are written to stdout; parquet by `views try` alone
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    Csv,
    Parquet,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything: the embedded servers and all roles in one process
    Up(Up),
    /// Start everything, load a year of grocery baskets, and keep selling
    Demo(Demo),
    /// Bring the database schemas up to date
    Migrate,
    /// The SQL views that the stream keeps true
    #[command(subcommand)]
    Views(Views),
    /// Events that could not be applied
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Mend what the relay does not decide by itself
    #[command(subcommand)]
    Relay(Relay),
    /// Check a running system: versions, lag, freshness, and the invariants
    Doctor,
    /// Measure, on an embedded system of its own unless URLs are given
    #[command(subcommand)]
    Bench(Bench),
    /// Print all settings with their defaults
    Config,
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Args, Debug)]
pub struct Up {
    /// Port of the gateway; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

#[derive(Args, Debug)]
pub struct Demo {
    /// How much of the year: small (8 shops, 26 weeks) or full
    #[arg(long, default_value = "small")]
    pub size: millrace_demo::Scope,
    /// Invoices a second once the past is loaded; 0 sells nothing
    #[arg(long, default_value_t = 20.0, value_name = "INVOICES")]
    pub rate: f64,
    /// Makes the same prices, stock and live baskets again
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Port of the gateway; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Also append the id of each acknowledged live invoice to this file
    #[arg(long, value_name = "FILE")]
    pub till_journal: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Views {
    /// All views with grain, key, rows and position
    List,
    /// The operators of a view, with their class, rows and state bytes
    Explain { name: String },
    /// The SQL file of a view
    Sql { name: String },
    /// The rows that a row of a live view comes from
    Why(WhyRow),
    /// Run the tests that lie beside the views: what is given and what must come out
    Test {
        /// Which; all when none is named
        names: Vec<String>,
        /// A folder with staging/, core/ and live/, instead of the views this program was built with
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Define a view while the system runs: it fills itself from the log, then it is live
    Create(DefineView),
    /// Give a defined view another definition; it stays as it is until that is filled
    Replace(DefineView),
    /// Drop a defined view that no other reads
    Drop { name: String },
    /// Try a view on files: feed them as changing tables, and print what the view holds in the end
    Try(TryView),
}

/// The log is read once more, up to where the views are; one row is looked into at a time.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  millrace views why live_stock_on_hand --key shop_id=0199… --key product_id=0199… --deep")]
pub struct WhyRow {
    /// The view
    pub name: String,
    /// A column of its key and the value: all of the key, as COLUMN=VALUE or as values in the key's order;
    /// null stands for no value
    #[arg(long = "key", value_name = "COLUMN=VALUE", required = true)]
    pub key: Vec<String>,
    /// Go on to what its inputs come from, down to the events
    #[arg(long)]
    pub deep: bool,
    /// Rows shown of each input
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
}

/// The file begins with header lines, of which only the key is needed: the columns that tell rows apart, or
/// `none` with `-- serve: none` for a step that only other views read.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  millrace views create live_units_by_product units.sql

  -- key: product_id
  select product_id, sum(quantity) as units from stg_sales__invoice_lines group by product_id")]
pub struct DefineView {
    /// Lower case letters, digits and _
    pub name: String,
    /// A file with header lines and one select
    #[arg(value_name = "FILE.sql")]
    pub file: PathBuf,
    /// Do not wait until it is filled
    #[arg(long)]
    pub no_wait: bool,
}

/// Rows come in random epochs; some come with wrong values first, go and come again, or do not belong at
/// all and leave. In the end the tables hold exactly what the files hold, and so the view. It needs no
/// server and no data directory.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  millrace views try revenue.sql --table sales=sales.csv --table shops=shops.parquet \\
    --keys shops=shop_id --epochs 20 --churn 0.5 --verify --output csv

Exit code 1 says that the view differs from batch SQL, stopped, or could not be compared.")]
pub struct TryView {
    /// A file with one select
    #[arg(value_name = "VIEW.sql")]
    pub sql: PathBuf,
    /// A table of the view: its name in the SQL, and the file with its rows (.parquet, or .csv with a header)
    #[arg(long = "table", value_name = "NAME=FILE", required = true)]
    pub tables: Vec<TableFile>,
    /// Columns that identify a row of a table: it is then fed as upserts
    #[arg(long, value_name = "TABLE=COLUMN,…")]
    pub keys: Vec<TableKey>,
    /// Epochs that the rows are spread over
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub epochs: u32,
    /// Share of the rows that are deleted or updated on the way, 0 to 1
    #[arg(long, default_value_t = 0.3, value_parser = share)]
    pub churn: f64,
    /// Makes the same epochs again
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Compare with batch SQL after every epoch
    #[arg(long)]
    pub verify: bool,
    /// Refuse a view that has to be computed again with every change, as the running system does
    #[arg(long)]
    pub strict: bool,
    /// Instead of the view, print its rows with this value and the rows of the files they come from; may be
    /// given for several columns
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = column_value)]
    pub why: Vec<(String, String)>,
    /// Write to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

fn column_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(column, _)| !column.is_empty());
    let (column, value) = pair.ok_or("write COLUMN=VALUE, such as shop=s1")?;
    Ok((column.to_owned(), value.to_owned()))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a number from 0 to 1, such as 0.3".to_owned())
}

/// `NAME=FILE`.
#[derive(Clone, Debug)]
pub struct TableFile {
    pub name: String,
    pub file: PathBuf,
}

impl FromStr for TableFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = text
            .split_once('=')
            .filter(|(name, file)| is_name(name) && !file.is_empty())
            .ok_or("write NAME=FILE, such as sales=data/sales.parquet; a name is in lower case")?;
        Ok(Self { name: name.to_owned(), file: file.into() })
    }
}

/// `TABLE=COLUMN,…`.
#[derive(Clone, Debug)]
pub struct TableKey {
    pub table: String,
    pub columns: Vec<String>,
}

impl FromStr for TableKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, columns) = text
            .split_once('=')
            .filter(|(table, columns)| is_name(table) && columns.split(',').all(|c| !c.is_empty()))
            .ok_or("write TABLE=COLUMN,COLUMN…, such as stock=shop,product")?;
        let columns = columns.split(',').map(str::to_owned).collect();
        Ok(Self { table: table.to_owned(), columns })
    }
}

/// Whether a table or view may be called so.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|letter| letter.is_uppercase() || letter.is_whitespace())
}

#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// What is there, with the reason: events that could not be applied, and orphans of a restored database
    List,
    /// Append them to the log again, at new positions
    Replay {
        /// Which; all when none is named
        ids: Vec<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Relay {
    /// Go on after the relay has halted; the system must not be running
    #[command(subcommand)]
    Recover(Recover),
}

#[derive(Debug, Subcommand)]
pub enum Recover {
    /// Go on with a new replication slot
    ///
    /// For a slot that is missing, was invalidated, or is ahead of what is known to be in the log, and
    /// for a lost or damaged relay.json. What the log lacks is sent from the outbox tables, as one
    /// transaction at new positions; nothing is sent twice. A database that is not the one the log was
    /// written from is refused.
    LostSlot,
    /// Go on with a database that was restored from a backup, or with another server
    ///
    /// Events of the log that this database does not have are orphans: they are listed in
    /// orphans-<incarnation>.jsonl beside relay.json, and kept as dead letters. They stay in the log; views
    /// and marts are filled again without them when the system starts.
    NewIncarnation {
        /// The last position the backup holds; needed where the restored outbox has no event of the log
        #[arg(long, value_name = "POSITION")]
        restored_to: Option<u64>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// A till's sale to a live screen and a mart, open loop
    E2e(BenchE2e),
    /// Replay of a log into all views, on one core
    Ingest(BenchCommon),
    /// Invoices a second beside pgbench on the same PostgreSQL
    Invoice(BenchInvoice),
    /// The Nexmark queries on the engine and on others, over the same events in memory
    ///
    /// Every engine hashes every column of every change it gives; `matches` says whether the rows that there
    /// are in the end are those of batch SQL over all events. `events_per_second_core` counts the processor
    /// time of all threads.
    Nexmark(BenchNexmark),
}

#[derive(Args, Clone, Debug)]
pub struct BenchNexmark {
    /// Which, such as q0,q4; all when none is named
    #[arg(long, value_delimiter = ',', value_name = "QUERY")]
    pub queries: Vec<String>,
    /// Persons, auctions and bids together
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub events: u64,
    /// Events that take effect as a whole; Flink knows no epochs and goes row by row
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub epoch_events: u64,
    /// Engines beside ours; `make bench-peers` builds dbsp and flink first
    #[arg(
        long,
        value_delimiter = ',',
        value_enum,
        default_value = "datafusion",
        value_name = "ENGINE"
    )]
    pub peers: Vec<Peer>,
    /// Worker threads of our engine and of dbsp, parallelism of Flink; batch SQL takes one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,
    /// Where dbsp and flink are; the cache's `peers` unless given
    #[arg(long, value_name = "DIR")]
    pub peers_dir: Option<PathBuf>,
    /// Say on stderr where our engine's time and state are; measuring that takes time itself
    #[arg(long)]
    pub explain: bool,
}

/// Another engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Batch SQL from scratch, five times over the run
    Datafusion,
    /// Hand-written on the dbsp crate
    Dbsp,
    /// Flink SQL, the second run in a process
    Flink,
}

#[derive(Args, Clone, Debug)]
pub struct BenchCommon {
    /// How long to measure
    #[arg(long, default_value_t = 300)]
    pub seconds: u64,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Args, Clone, Debug)]
pub struct BenchInvoice {
    #[command(flatten)]
    pub common: BenchCommon,
    /// Seconds of each run; ours and pgbench's take turns
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub run_seconds: u64,
}

#[derive(Args, Clone, Debug)]
pub struct BenchE2e {
    #[command(flatten)]
    pub common: BenchCommon,
    /// Invoices a second
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
}
