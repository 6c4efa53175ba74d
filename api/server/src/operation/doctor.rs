//! `POST /api/v1/doctor`, `GET /api/v1/doctor`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use millrace_doctor::Doctor;
use millrace_kernel::{Actor, Permission};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Error, GatewayState};

/// The doctor and what was found last. It reads the whole log, which may take longer than a request
/// should: so an examination is begun by one request and its report is asked for by others.
#[derive(Debug)]
pub(crate) struct Practice {
    doctor: Doctor,
    examination: Arc<Mutex<Examination>>,
}

/// One examination at a time.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub(crate) enum Examination {
    /// None has been asked for.
    #[default]
    None,
    Running,
    /// Each invariant, whether it holds, and the rows that violate it.
    Done {
        report: Value,
    },
    /// It could not be made.
    Failed {
        reason: String,
    },
}

impl Practice {
    pub(crate) fn new(doctor: Doctor) -> Self {
        Self { doctor, examination: Arc::default() }
    }

    fn begin(&self) {
        let mut examination = self.examination.lock();
        if matches!(*examination, Examination::Running) {
            return;
        }
        *examination = Examination::Running;
        let (doctor, found) = (self.doctor.clone(), Arc::clone(&self.examination));
        tokio::spawn(async move {
            let outcome = doctor.examine().await;
            *found.lock() = match outcome.map(serde_json::to_value) {
                Ok(Ok(report)) => Examination::Done { report },
                Ok(Err(error)) => Examination::Failed { reason: error.to_string() },
                Err(error) => Examination::Failed { reason: error.to_string() },
            };
        });
    }
}

/// Begin an examination
///
/// Runs every invariant against PostgreSQL, the log, the views and the marts. It reads the whole log:
/// seconds on a small system, minutes on a large one. Nothing begins while one is running.
#[utoipa::path(
    post,
    path = "/api/v1/doctor",
    tag = "Operations",
    responses((status = 202, description = "It is running: ask for its report", body = Examination))
)]
pub(super) async fn begin(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
) -> Result<(StatusCode, Json<Examination>), Error> {
    actor.require(Permission::SystemOperate, None)?;
    let practice = gateway.practice().ok_or(Error::PipelineAbsent)?;
    practice.begin();
    Ok((StatusCode::ACCEPTED, Json(practice.examination.lock().clone())))
}

/// Read the last examination's report
#[utoipa::path(
    get,
    path = "/api/v1/doctor",
    tag = "Operations",
    responses((status = 200, description = "How far it is, and its report", body = Examination))
)]
pub(super) async fn report(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
) -> Result<Json<Examination>, Error> {
    actor.require(Permission::SystemOperate, None)?;
    let practice = gateway.practice().ok_or(Error::PipelineAbsent)?;
    Ok(Json(practice.examination.lock().clone()))
}
