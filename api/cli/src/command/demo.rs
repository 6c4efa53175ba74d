//! `millrace demo`.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{NaiveDate, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use millrace_demo::live::{Live, Login, ShopClient, Tally, TillJournal};
use millrace_demo::{Dataset, Key, Masters, Scope, TIME_ZONE};
use millrace_events::Token;
use millrace_kernel::{Kernel, SystemClock};
use millrace_server::identity::{DEMO_EMAIL, seed_demo_user};
use millrace_views::{PipelineHandle, Target};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::up::{telemetry, until_ended};
use crate::args::Demo;
use crate::config::Settings;
use crate::operator::{self, write_private};
use crate::system::System;

/// How long the views may take to come up to what was loaded.
const CATCH_UP_MAX: Duration = Duration::from_secs(600);

/// Starts everything, loads the past, sells until told to end.
///
/// # Errors
/// What did not start or load.
pub async fn run(mut settings: Settings, demo: &Demo) -> Result<()> {
    settings.environment = "demo".to_owned();
    settings.gateway.port = demo.port.unwrap_or(settings.gateway.port);
    if std::io::stderr().is_terminal()
        && settings.telemetry.log_filter == Settings::default_filter()
    {
        // Log lines would tear the progress bars.
        settings.telemetry.log_filter = "warn".to_owned();
    }
    let started = Instant::now();
    let telemetry = telemetry(&settings)?;
    let metrics = millrace_server::meter::install()?;
    let mut plan = Plan::of(&settings.data_dir, demo)?;
    eprintln!("starting PostgreSQL, the broker and ClickHouse in {}", settings.data_dir.display());
    let mut system = System::start(settings, Some(metrics)).await?;
    let _pass = operator::leave_pass(&system)?.drop_guard();
    let login = login(&system).await?;

    let past = Past::read(&plan).await?;
    if !plan.is_loaded {
        let key = Key::new(plan.scope()?, plan.seed);
        millrace_demo::load(&system.kernel, &key, &past.dataset, &past.masters).await?;
        plan.is_loaded = true;
        plan.keep(&system.settings.data_dir)?;
    }
    catch_up(&system.kernel, &system.pipeline).await?;
    eprintln!("\n  Millrace   {}", system.url());
    eprintln!("  user       {}", login.email);
    eprintln!("  password   {}", login.password.expose_secret());
    eprintln!("  ready      after {:.0} s\n", started.elapsed().as_secs_f64());

    let stop = CancellationToken::new();
    let tally = Arc::new(Tally::default());
    if demo.rate > 0.0 {
        let live = Live {
            client: ShopClient::new(system.url(), login),
            dataset: past.dataset,
            masters: past.masters,
            clock: Arc::new(SystemClock),
            rate: demo.rate,
            seed: demo.seed,
            journal: demo.till_journal.as_deref().map(TillJournal::open).transpose()?,
        };
        tokio::spawn(live.run(Arc::clone(&tally), stop.clone()));
        tokio::spawn(tell(tally, system.pipeline.clone(), stop.clone()));
    }
    let outcome = until_ended(&mut system).await;
    stop.cancel();
    eprintln!("\nending; `millrace demo` goes on where this stops");
    system.shutdown().await;
    telemetry.shutdown().await;
    outcome
}

/// What a data directory was first loaded with: the past must not move when the demo is started
/// again on another day.
#[derive(Serialize, Deserialize)]
struct Plan {
    size: String,
    seed: u64,
    today: NaiveDate,
    /// The keys that make loading twice harmless are forgotten after a while; this is not.
    is_loaded: bool,
}

impl Plan {
    fn of(data_dir: &Path, demo: &Demo) -> Result<Self> {
        let path = Self::path(data_dir);
        if let Ok(text) = fs::read_to_string(&path) {
            let plan: Self = serde_json::from_str(&text).with_context(|| {
                format!("{} is damaged: `make clean-demo` begins anew", path.display())
            })?;
            if plan.size != demo.size.as_str() || plan.seed != demo.seed {
                bail!(
                    "{} holds the {} demo of seed {}: name another --data-dir, or begin anew with `make clean-demo`",
                    data_dir.display(),
                    plan.size,
                    plan.seed
                );
            }
            return Ok(plan);
        }
        let today = Utc::now().with_timezone(&TIME_ZONE).date_naive();
        let plan =
            Self { size: demo.size.as_str().to_owned(), seed: demo.seed, today, is_loaded: false };
        fs::create_dir_all(data_dir)
            .with_context(|| format!("making the folder {}", data_dir.display()))?;
        plan.keep(data_dir)?;
        Ok(plan)
    }

    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("demo.json")
    }

    fn keep(&self, data_dir: &Path) -> Result<()> {
        write_private(&Self::path(data_dir), &serde_json::to_string(self)?)
    }

    fn scope(&self) -> Result<Scope> {
        self.size.parse().map_err(anyhow::Error::msg)
    }
}

struct Past {
    dataset: Arc<Dataset>,
    masters: Arc<Masters>,
}

impl Past {
    async fn read(plan: &Plan) -> Result<Self> {
        let (scope, seed, today) = (plan.scope()?, plan.seed, plan.today);
        let folder = millrace_local::cache_dir().join("completejourney");
        let spinner = ProgressBar::new_spinner().with_message("reading the baskets");
        spinner.enable_steady_tick(Duration::from_millis(200));
        let past = tokio::task::spawn_blocking(move || -> Result<Self> {
            let dataset = Dataset::read(&folder, scope)?;
            let masters = Masters::derive(&dataset, seed, today)?;
            Ok(Self { dataset: Arc::new(dataset), masters: Arc::new(masters) })
        });
        let past = past.await??;
        spinner.finish_and_clear();
        eprintln!(
            "{} shops, {} products, {} baskets with {} lines, simulated from real shopping patterns",
            past.dataset.stores.len(),
            past.dataset.products.len(),
            past.dataset.baskets.len(),
            past.dataset.line_count()
        );
        Ok(past)
    }
}

/// The demo's user, whose password is kept for the owner of the data directory.
async fn login(system: &System) -> Result<Login> {
    #[derive(Serialize, Deserialize)]
    struct Kept {
        email: String,
        password: String,
    }
    let path = &system.folders.demo_login;
    let kept = match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| {
            format!("{} is damaged: remove it for a new password", path.display())
        })?,
        Err(_) => {
            let password = seed_demo_user(&system.kernel).await?;
            let password = password.expose_secret().to_owned();
            let kept = Kept { email: DEMO_EMAIL.to_owned(), password };
            write_private(path, &serde_json::to_string(&kept)?)?;
            kept
        }
    };
    Ok(Login { email: kept.email, password: kept.password.into() })
}

/// Waits until the views show what was loaded.
async fn catch_up(kernel: &Kernel, pipeline: &PipelineHandle) -> Result<()> {
    let lsn: String = sqlx::query_scalar("select pg_current_wal_flush_lsn()::text")
        .fetch_one(kernel.pool())
        .await?;
    let token = Token(lsn.parse()?);
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template(
        "{prefix:<22} {wide_bar:.cyan/blue} {human_pos}/{human_len} events",
    )?);
    bar.set_prefix("views");
    let waiting = pipeline.wait_for(Target::Token(token), CATCH_UP_MAX);
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            reached = &mut waiting => {
                reached?;
                bar.finish();
                return Ok(());
            }
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                let status = pipeline.status();
                bar.set_length(status.log_end.0);
                bar.set_position(status.position.0);
            }
        }
    }
}

/// One line that goes on telling, on a terminal only.
async fn tell(tally: Arc<Tally>, pipeline: PipelineHandle, stop: CancellationToken) {
    let line = ProgressBar::new_spinner();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let status = pipeline.status();
        line.set_message(format!(
            "{} invoices, {} returns, {} deliveries, {} refused for lack of stock · position {} · fresh to {} ms",
            count(&tally.sold),
            count(&tally.returned),
            count(&tally.received),
            count(&tally.refused),
            status.position,
            status.freshness_ms.map_or_else(|| "?".to_owned(), |ms| ms.to_string()),
        ));
        line.tick();
    }
    line.finish_and_clear();
}
