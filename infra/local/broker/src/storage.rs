//! The broker's storage: records in files of our own, everything else in Nisshi's SQLite catalog.
//!
//! Nisshi's SQL engine takes records apart into rows, one per record and one per header, and prepares
//! each statement anew, also when a consumer looks at an idle partition. Kept whole, batches are
//! written and read some twenty times as fast: `infra/adr/0006-the-embedded-broker-keeps-batches-in-files.md`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use async_trait::async_trait;
use nisshi_sans_io::create_topics_request::CreatableTopic;
use nisshi_sans_io::delete_groups_response::DeletableGroupResult;
use nisshi_sans_io::delete_records_request::DeleteRecordsTopic;
use nisshi_sans_io::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use nisshi_sans_io::describe_cluster_response::DescribeClusterBroker;
use nisshi_sans_io::describe_configs_response::DescribeConfigsResult;
use nisshi_sans_io::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use nisshi_sans_io::fetch_response::AbortedTransaction;
use nisshi_sans_io::incremental_alter_configs_request::AlterConfigsResource;
use nisshi_sans_io::incremental_alter_configs_response::AlterConfigsResourceResponse;
use nisshi_sans_io::record::deflated::Batch;
use nisshi_sans_io::txn_offset_commit_response::TxnOffsetCommitResponseTopic;
use nisshi_sans_io::{ConfigResource, ErrorCode, IsolationLevel, ListOffset, ScramMechanism};
use nisshi_storage::{
    ArcDynStorage, BrokerRegistrationRequest, DELETE_RECORDS_INVALID_LOW_WATERMARK, Error,
    GroupDetail, ListOffsetResponse, MetadataResponse, NamedGroupDetail, OffsetCommitRequest,
    OffsetStage, ProducerIdResponse, Result, ScramCredential, Storage, TopicId, Topition,
    TxnAddPartitionsRequest, TxnAddPartitionsResponse, TxnOffsetCommitRequest, UpdateError, Version,
    delete_records_cutoff, max_message_bytes,
};
use url::Url;
use uuid::Uuid;

use crate::log::{self, Log, Partition};
use crate::topics::{Topic, Topics};

#[derive(Clone, Debug)]
pub struct FileStorage {
    catalog: ArcDynStorage,
    topics: Arc<Topics>,
    log: Arc<Log>,
}

impl FileStorage {
    /// Opens the log in `folder` for the topics of `catalog`.
    pub async fn open(catalog: ArcDynStorage, folder: &Path) -> anyhow::Result<Self> {
        let topics = Topics::new(Arc::clone(&catalog));
        let ids: Vec<Uuid> = topics.all().await?.into_iter().map(|(_, id)| id).collect();
        let log = Log::open(folder.to_owned(), &ids)
            .with_context(|| format!("cannot open the log in {}", folder.display()))?;
        Ok(Self { catalog, topics: Arc::new(topics), log: Arc::new(log) })
    }

    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Works with a partition that exists.
    async fn partition<T>(
        &self,
        topition: &Topition,
        work: impl FnOnce(&Topic, &mut Partition) -> log::Result<T>,
    ) -> Result<T> {
        let topic = self.topics.find(&topition.topic).await?;
        let exists = |topic: &Topic| (0..topic.partitions).contains(&topition.partition);
        let topic = topic.filter(exists).ok_or(Error::Api(ErrorCode::UnknownTopicOrPartition))?;
        let key = (topic.id, topition.partition);
        self.log.with(key, |partition| work(&topic, partition)).map_err(|error| match error {
            log::Error::Api(code) => Error::Api(code),
            error => {
                tracing::error!(%error, ?topition, "the log");
                // Clients try again: the disk may have room by then.
                Error::Api(ErrorCode::KafkaStorageError)
            }
        })
    }

    async fn delete_records_of(&self, topition: &Topition, offset: i64) -> Result<i64> {
        self.partition(topition, |_, partition| {
            let offset =
                delete_records_cutoff(offset, &stage(partition)).map_err(log::Error::Api)?;
            partition.delete_before(offset)?;
            Ok(offset)
        })
        .await
    }

    async fn offset_of(&self, topition: &Topition, wanted: &ListOffset) -> Result<ListOffsetResponse> {
        self.partition(topition, |_, partition| {
            let (offset, time) = match wanted {
                ListOffset::Earliest => (Some(partition.start()), None),
                ListOffset::Latest => (Some(partition.end()), None),
                ListOffset::Timestamp(time) => partition.find_time(milliseconds(*time))?.unzip(),
            };
            let after = |ms: i64| UNIX_EPOCH + Duration::from_millis(ms.unsigned_abs());
            Ok(ListOffsetResponse { error_code: ErrorCode::None, timestamp: time.map(after), offset })
        })
        .await
    }
}

fn stage(partition: &Partition) -> OffsetStage {
    OffsetStage {
        last_stable: partition.end(),
        high_watermark: partition.end(),
        log_start: partition.start(),
    }
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Errors of one partition are told beside the others' results; the rest end the request.
fn told<T>(result: Result<T>) -> Result<Result<T, ErrorCode>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Api(code)) => Ok(Err(code)),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Storage for FileStorage {
    async fn produce(
        &self,
        transaction_id: Option<&str>,
        topition: &Topition,
        batch: Batch,
    ) -> Result<i64> {
        if transaction_id.is_some() || batch.is_transactional() {
            return Err(Error::Api(ErrorCode::InvalidTxnState));
        }
        let topic = self.topics.find(&topition.topic).await?;
        let limit = topic.map_or(max_message_bytes::DEFAULT, |topic| topic.batch_bytes_max);
        max_message_bytes::ensure_batch_fits(&batch, limit)?;
        self.partition(topition, |_, partition| partition.append(batch)).await
    }

    async fn fetch(
        &self,
        topition: &Topition,
        offset: i64,
        _min_bytes: u32,
        max_bytes: u32,
        _isolation: IsolationLevel,
        _max_wait: Duration,
    ) -> Result<Vec<Batch>> {
        let bytes_max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        self.partition(topition, |_, partition| {
            if offset >= partition.end() { Ok(Vec::new()) } else { partition.read(offset, bytes_max) }
        })
        .await
    }

    async fn offset_stage(&self, topition: &Topition) -> Result<OffsetStage> {
        self.partition(topition, |_, partition| Ok(stage(partition))).await
    }

    async fn list_offsets(
        &self,
        _isolation: IsolationLevel,
        offsets: &[(Topition, ListOffset)],
    ) -> Result<Vec<(Topition, ListOffsetResponse)>> {
        let mut responses = Vec::with_capacity(offsets.len());
        for (topition, wanted) in offsets {
            let response = told(self.offset_of(topition, wanted).await)?.unwrap_or_else(|error_code| {
                ListOffsetResponse { error_code, ..ListOffsetResponse::default() }
            });
            responses.push((topition.clone(), response));
        }
        Ok(responses)
    }

    async fn delete_records(
        &self,
        topics: &[DeleteRecordsTopic],
    ) -> Result<Vec<DeleteRecordsTopicResult>> {
        let mut results = Vec::with_capacity(topics.len());
        for topic in topics {
            let mut partitions = Vec::new();
            for partition in topic.partitions.iter().flatten() {
                let topition = Topition::new(topic.name.as_str(), partition.partition_index);
                let deleted = told(self.delete_records_of(&topition, partition.offset).await)?;
                let (low, code) = match deleted {
                    Ok(low) => (low, ErrorCode::None),
                    Err(code) => (DELETE_RECORDS_INVALID_LOW_WATERMARK, code),
                };
                partitions.push(
                    DeleteRecordsPartitionResult::default()
                        .partition_index(partition.partition_index)
                        .low_watermark(low)
                        .error_code(code.into()),
                );
            }
            results.push(
                DeleteRecordsTopicResult::default()
                    .name(topic.name.clone())
                    .partitions(Some(partitions)),
            );
        }
        Ok(results)
    }

    async fn maintain(&self, now: SystemTime) -> Result<()> {
        for (name, _) in self.topics.all().await? {
            let partitions = self.topics.find(&name).await?.map_or(0, |topic| topic.partitions);
            for number in 0..partitions {
                let topition = Topition::new(name.as_str(), number);
                self.partition(&topition, |topic, partition| {
                    partition.retain(topic.retention, milliseconds(now))
                })
                .await?;
            }
        }
        self.catalog.maintain(now).await
    }

    async fn aborted_transactions(
        &self,
        _topition: &Topition,
        _offset: i64,
        _last_stable_offset: i64,
    ) -> Result<Vec<AbortedTransaction>> {
        Ok(Vec::new())
    }

    async fn init_producer(
        &self,
        transaction_id: Option<&str>,
        transaction_timeout_ms: i32,
        producer_id: Option<i64>,
        producer_epoch: Option<i16>,
    ) -> Result<ProducerIdResponse> {
        if let Some(transaction_id) = transaction_id {
            tracing::warn!(transaction_id, "transactions are refused: this broker has none");
            return Ok(ProducerIdResponse::failed(ErrorCode::InvalidTxnState));
        }
        self.catalog.init_producer(None, transaction_timeout_ms, producer_id, producer_epoch).await
    }

    async fn create_topic(&self, topic: CreatableTopic, validate_only: bool) -> Result<Uuid> {
        let created = self.catalog.create_topic(topic, validate_only).await;
        self.topics.forget();
        created
    }

    async fn delete_topic(&self, topic: &TopicId) -> Result<ErrorCode> {
        let found = self.topics.metadata(Some(std::slice::from_ref(topic))).await?;
        let code = self.catalog.delete_topic(topic).await?;
        self.topics.forget();
        let id = found.topics.first().and_then(|topic| topic.topic_id).map(Uuid::from_bytes);
        if let Some(id) = id.filter(|_| code == ErrorCode::None) {
            self.log.remove(id).map_err(|error| Error::from(std::io::Error::other(error)))?;
        }
        Ok(code)
    }

    async fn incremental_alter_resource(
        &self,
        resource: AlterConfigsResource,
    ) -> Result<AlterConfigsResourceResponse> {
        let altered = self.catalog.incremental_alter_resource(resource).await;
        self.topics.forget();
        altered
    }

    async fn register_broker(&self, registration: BrokerRegistrationRequest) -> Result<()> {
        let registered = self.catalog.register_broker(registration).await;
        self.topics.forget();
        registered
    }

    async fn metadata(&self, topics: Option<&[TopicId]>) -> Result<MetadataResponse> {
        self.topics.metadata(topics).await
    }

    // What follows is the catalog's alone.

    async fn brokers(&self) -> Result<Vec<DescribeClusterBroker>> {
        self.catalog.brokers().await
    }

    async fn offset_commit(
        &self,
        group_id: &str,
        retention: Option<Duration>,
        offsets: &[(Topition, OffsetCommitRequest)],
    ) -> Result<Vec<(Topition, ErrorCode)>> {
        self.catalog.offset_commit(group_id, retention, offsets).await
    }

    async fn offset_fetch(
        &self,
        group_id: Option<&str>,
        topics: &[Topition],
        require_stable: Option<bool>,
    ) -> Result<BTreeMap<Topition, i64>> {
        self.catalog.offset_fetch(group_id, topics, require_stable).await
    }

    async fn committed_offset_topitions(&self, group_id: &str) -> Result<BTreeMap<Topition, i64>> {
        self.catalog.committed_offset_topitions(group_id).await
    }

    async fn upsert_user_scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
        credential: ScramCredential,
    ) -> Result<()> {
        self.catalog.upsert_user_scram_credential(user, mechanism, credential).await
    }

    async fn delete_user_scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
    ) -> Result<()> {
        self.catalog.delete_user_scram_credential(user, mechanism).await
    }

    async fn user_scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
    ) -> Result<Option<ScramCredential>> {
        self.catalog.user_scram_credential(user, mechanism).await
    }

    async fn describe_config(
        &self,
        name: &str,
        resource: ConfigResource,
        keys: Option<&[String]>,
    ) -> Result<DescribeConfigsResult> {
        match resource {
            // The catalog answers with all settings, whatever the keys.
            ConfigResource::Topic => Ok((*self.topics.settings(name).await?).clone()),
            _ => self.catalog.describe_config(name, resource, keys).await,
        }
    }

    async fn list_groups(&self) -> Result<Vec<NamedGroupDetail>> {
        self.catalog.list_groups().await
    }

    async fn delete_groups(&self, groups: Option<&[String]>) -> Result<Vec<DeletableGroupResult>> {
        self.catalog.delete_groups(groups).await
    }

    async fn describe_groups(
        &self,
        groups: Option<&[String]>,
        with_authorized_operations: bool,
    ) -> Result<Vec<NamedGroupDetail>> {
        self.catalog.describe_groups(groups, with_authorized_operations).await
    }

    async fn describe_topic_partitions(
        &self,
        topics: Option<&[TopicId]>,
        partition_limit: i32,
        cursor: Option<Topition>,
    ) -> Result<Vec<DescribeTopicPartitionsResponseTopic>> {
        self.catalog.describe_topic_partitions(topics, partition_limit, cursor).await
    }

    async fn group_with_version(&self, group_id: &str) -> Result<Option<(GroupDetail, Version)>> {
        self.catalog.group_with_version(group_id).await
    }

    async fn update_group(
        &self,
        group_id: &str,
        detail: GroupDetail,
        version: Option<Version>,
    ) -> Result<Version, UpdateError<GroupDetail>> {
        self.catalog.update_group(group_id, detail, version).await
    }

    async fn txn_add_offsets(
        &self,
        transaction_id: &str,
        producer_id: i64,
        producer_epoch: i16,
        group_id: &str,
    ) -> Result<ErrorCode> {
        self.catalog.txn_add_offsets(transaction_id, producer_id, producer_epoch, group_id).await
    }

    async fn txn_add_partitions(
        &self,
        partitions: TxnAddPartitionsRequest,
    ) -> Result<TxnAddPartitionsResponse> {
        self.catalog.txn_add_partitions(partitions).await
    }

    async fn txn_offset_commit(
        &self,
        offsets: TxnOffsetCommitRequest,
    ) -> Result<Vec<TxnOffsetCommitResponseTopic>> {
        self.catalog.txn_offset_commit(offsets).await
    }

    async fn txn_end(
        &self,
        transaction_id: &str,
        producer_id: i64,
        producer_epoch: i16,
        committed: bool,
    ) -> Result<ErrorCode> {
        self.catalog.txn_end(transaction_id, producer_id, producer_epoch, committed).await
    }

    async fn maintain_transactions(&self, now: SystemTime) -> Result<()> {
        self.catalog.maintain_transactions(now).await
    }

    async fn cluster_id(&self) -> Result<String> {
        self.catalog.cluster_id().await
    }

    async fn node(&self) -> Result<i32> {
        self.catalog.node().await
    }

    async fn advertised_listener(&self) -> Result<Url> {
        self.catalog.advertised_listener().await
    }

    async fn ping(&self) -> Result<()> {
        self.catalog.ping().await
    }
}
