//! The `millrace` program as a process of its own, and a small shop in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use millrace_cli::bench::world::World;
use millrace_cli::{Operator, Settings, System};
use millrace_demo::live::{Outcome, issue};
use millrace_events::Token;
use millrace_views::Target;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// How long a start may take, recovery of all parts included.
const START_MAX: Duration = Duration::from_secs(60);
/// How long what was sold may take to be seen, on a machine that does much else.
const SHOWN_MAX: Duration = Duration::from_secs(60);

/// A data directory with a world in it, and the program that serves it.
pub struct Program {
    pub data_dir: TempDir,
    child: Option<Child>,
    environment: Vec<(String, String)>,
}

impl Program {
    /// Makes the world and starts the program.
    pub async fn start() -> (Self, World) {
        Self::start_with(&[]).await
    }

    /// The same, with settings in the environment.
    pub async fn start_with(environment: &[(&str, &str)]) -> (Self, World) {
        let data_dir = millrace_local::testing::data_dir().expect("a folder");
        let settings = settings(data_dir.path());
        let system = System::start(settings, None).await.expect("the system starts");
        let world = World::make_small(&system.kernel).await.expect("the world is made");
        // Whoever kills the program at once knows what was heard of: all of this.
        let lsn: String = sqlx::query_scalar("select pg_current_wal_flush_lsn()::text")
            .fetch_one(system.kernel.pool())
            .await
            .expect("a place in PostgreSQL's log");
        let target = Target::Token(Token(lsn.parse().expect("an LSN")));
        system.pipeline.wait_for(target, START_MAX).await.expect("the views have it all");
        system.shutdown().await;
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut program = Self { data_dir, child: None, environment };
        program.up().await;
        (program, world)
    }

    /// `millrace up`, until it answers.
    pub async fn up(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.data_dir.path().join("program.log"))
            .expect("the log opens");
        let _ = std::fs::remove_file(self.data_dir.path().join("operator.json"));
        let child = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["up", "--port", "0", "--data-dir"])
            .arg(self.data_dir.path())
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        self.child = Some(child);
        let deadline = Instant::now() + START_MAX;
        while !self.answers().await {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the program ended at its start: {}", self.log());
            assert!(Instant::now() < deadline, "the program is not up: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `millrace up`, which must refuse to start; what it says.
    pub fn refused(&self) -> String {
        self.fail(&["up", "--port", "0"])
    }

    /// A command that must succeed; its JSON.
    pub fn run(&self, arguments: &[&str]) -> Value {
        let ended = self.command(arguments);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&ended.stdout).expect("JSON on stdout")
    }

    /// A command that must fail; what it says.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let ended = self.command(arguments);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(ended.stderr).expect("text")
    }

    /// Runs the program beside the one that serves, and waits for its end.
    fn command(&self, arguments: &[&str]) -> Output {
        let ended = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(arguments)
            .args(["--output", "json", "--data-dir"])
            .arg(self.data_dir.path())
            .stdin(Stdio::null())
            .output();
        ended.expect("the program runs")
    }

    /// Sells over the counter, and waits until the views show it.
    pub async fn sell(&self, world: &World, random: &mut ChaCha8Rng, sales: u64) {
        let client = self.operator().shop_client();
        let before = self.invoices_shown().await;
        for _ in 0..sales {
            let outcome = issue(&client, &world.invoice(random)).await.expect("an answer");
            assert!(matches!(outcome, Outcome::Sold(_)), "there is stock for all");
        }
        let deadline = Instant::now() + SHOWN_MAX;
        while self.invoices_shown().await < before + sales {
            assert!(Instant::now() < deadline, "what was sold is not shown: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Invoices that a live view counts.
    pub async fn invoices_shown(&self) -> u64 {
        let path = "/api/v1/views/live_sales_by_shop_hour?limit=1000";
        let view: Value = self.operator().get(path).await.expect("a view");
        let rows = view["rows"].as_array().expect("rows").iter();
        rows.filter_map(|row| row["invoices"].as_u64()).sum()
    }

    /// Everything sold is shown, and the doctor finds nothing.
    pub async fn assert_whole(&self, sales: u64) {
        let report = self.operator().examine().await.expect("a report");
        for finding in report["findings"].as_array().expect("findings") {
            assert_eq!(finding["violations"], 0, "{finding:#}");
        }
        assert_eq!(self.invoices_shown().await, sales);
    }

    /// The running program's database, as its services see it.
    pub async fn database(&self) -> PgConnection {
        let read = |name: &str| -> toml::Table {
            let text = std::fs::read_to_string(self.data_dir.path().join(name)).expect("a file");
            text.parse().expect("TOML")
        };
        let (ports, secrets) = (read("ports.toml"), read("secrets.toml"));
        let password = secrets["postgres"].as_str().expect("a password");
        let port = ports["postgres"].as_integer().expect("a port");
        let url =
            format!("postgres://millrace:{password}@127.0.0.1:{port}/millrace?sslmode=disable");
        PgConnection::connect(&url).await.expect("connected")
    }

    async fn answers(&self) -> bool {
        match Operator::of(self.data_dir.path()) {
            Ok(operator) => operator.get::<Value>("/api/v1/status").await.is_ok(),
            Err(_) => false,
        }
    }

    pub fn operator(&self) -> Operator {
        Operator::of(self.data_dir.path()).expect("the program is up")
    }

    /// Ends the program as a crash would; its children must end with it.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the program runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
    }

    /// Ends the program in order, as whoever started it would.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("the program runs");
        let pid = i32::try_from(child.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it can be told");
        let ended = child.wait().expect("it is gone");
        assert!(ended.success(), "{ended}: {}", self.log());
    }

    /// Ends one embedded server as a crash would.
    pub fn kill_part(&self, part: &str) {
        let path: PathBuf = self.data_dir.path().join("run").join(format!("{part}.pid"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            // It may be between two lives.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.data_dir.path().join("program.log"));
        let text = text.unwrap_or_default();
        text.lines().rev().take(30).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

pub fn settings(data_dir: &Path) -> Settings {
    let mut settings = Settings::load(None, Some(data_dir)).expect("the defaults are valid");
    settings.gateway.port = 0;
    settings
}
