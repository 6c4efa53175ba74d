//! A file of record batches, as they came over the wire, one after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use nisshi_sans_io::record::deflated::Batch;
use serde::{Deserialize, Serialize};

use super::batch::{self, HEAD_BYTES, Head};
use super::producers::Producers;
use super::{Error, Result};

/// One entry of the index per so many bytes.
const INDEX_EVERY: u64 = 32 << 10;
/// Read at once while looking for a batch.
const READ_BYTES: usize = 64 << 10;
/// Larger than any batch a broker of ours accepts: what claims to be larger is damage.
const BATCH_BYTES_MAX: usize = 256 << 20;

#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    contents: Contents,
}

/// What is known of a segment's file; kept beside it once nothing is appended any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Contents {
    base_offset: i64,
    next_offset: i64,
    bytes: u64,
    max_timestamp: i64,
    /// Offset and place of some batches, ascending.
    index: Vec<(i64, u64)>,
}

/// A sealed segment's contents, and the producers after it.
#[derive(Serialize, Deserialize)]
struct Seal {
    contents: Contents,
    producers: Producers,
}

impl Segment {
    pub fn create(folder: &Path, base_offset: i64) -> Result<Self> {
        let path = folder.join(format!("{base_offset:020}.log"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        File::open(folder)?.sync_all()?;
        let contents = Contents {
            base_offset,
            next_offset: base_offset,
            bytes: 0,
            max_timestamp: -1,
            index: Vec::new(),
        };
        Ok(Self { path, file, contents })
    }

    /// Opens a segment that was sealed; its producers replace those given.
    ///
    /// # Errors
    /// [`Error::Damaged`] where a batch in it is not whole.
    pub fn open_sealed(folder: &Path, base: i64, producers: &mut Producers) -> Result<Self> {
        let mut segment = Self::open(folder, base)?;
        let bytes = segment.file.metadata()?.len();
        let seal = fs::read(segment.seal_path()).ok();
        let seal = seal.and_then(|json| serde_json::from_slice::<Seal>(&json).ok());
        if let Some(seal) = seal.filter(|seal| seal.contents.bytes == bytes) {
            segment.contents = seal.contents;
            *producers = seal.producers;
            return Ok(segment);
        }
        segment.scan(producers)?;
        if segment.contents.bytes < bytes {
            return Err(Error::Damaged { path: segment.path, at: segment.contents.bytes });
        }
        segment.seal(producers)?;
        Ok(segment)
    }

    /// Opens the segment that is appended to. What was being written when the broker died, and so was
    /// never acknowledged, is cut off.
    pub fn open_active(folder: &Path, base: i64, producers: &mut Producers) -> Result<Self> {
        let mut segment = Self::open(folder, base)?;
        segment.scan(producers)?;
        let bytes = segment.file.metadata()?.len();
        if segment.contents.bytes < bytes {
            let (kept, path) = (segment.contents.bytes, segment.path.display());
            tracing::warn!(%path, kept, cut = bytes - kept, "the end of the log is not whole: cut off");
            segment.file.set_len(segment.contents.bytes)?;
        }
        Ok(segment)
    }

    fn open(folder: &Path, base: i64) -> Result<Self> {
        let path = folder.join(format!("{base:020}.log"));
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let contents = Contents {
            base_offset: base,
            next_offset: base,
            bytes: 0,
            max_timestamp: -1,
            index: Vec::new(),
        };
        Ok(Self { path, file, contents })
    }

    /// Reads the file up to its end or to the first batch that is not whole.
    fn scan(&mut self, producers: &mut Producers) -> Result<()> {
        let end = self.file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, File::open(&self.path)?);
        let mut head = [0; HEAD_BYTES];
        while self.contents.bytes + HEAD_BYTES as u64 <= end {
            reader.read_exact(&mut head)?;
            let found = Head::parse(&head).filter(|head| {
                head.base_offset == self.contents.next_offset
                    && head.bytes <= BATCH_BYTES_MAX
                    && self.contents.bytes + head.bytes as u64 <= end
            });
            let Some(found) = found else { break };
            let mut bytes = BytesMut::zeroed(found.bytes);
            bytes[..HEAD_BYTES].copy_from_slice(&head);
            reader.read_exact(&mut bytes[HEAD_BYTES..])?;
            if batch::intact(bytes.freeze()).is_none() {
                break;
            }
            self.note(&found);
            producers.note(&found);
        }
        Ok(())
    }

    fn note(&mut self, head: &Head) {
        let contents = &mut self.contents;
        if contents.index.last().is_none_or(|(_, at)| contents.bytes - at >= INDEX_EVERY) {
            contents.index.push((head.base_offset, contents.bytes));
        }
        contents.bytes += head.bytes as u64;
        contents.next_offset = head.last_offset + 1;
        contents.max_timestamp = contents.max_timestamp.max(head.max_timestamp);
    }

    /// Appends a batch that begins at the next offset. After an error the file may hold a part of it
    /// past its known end, which the next append overwrites.
    pub fn append(&mut self, batch: Batch) -> Result<()> {
        let head = Head::of(&batch);
        self.file.write_all_at(&Bytes::from(batch), self.contents.bytes)?;
        self.note(&head);
        Ok(())
    }

    /// Writes down what is known of the segment, which is not appended to any more.
    pub fn seal(&self, producers: &Producers) -> Result<()> {
        self.file.sync_all()?;
        let seal = Seal { contents: self.contents.clone(), producers: producers.clone() };
        let json = serde_json::to_vec(&seal).map_err(std::io::Error::from)?;
        let unfinished = self.path.with_extension("seal.new");
        fs::write(&unfinished, json)?;
        fs::rename(unfinished, self.seal_path())?;
        Ok(())
    }

    /// Batches from the one that holds `offset` on: at least one where there is one, then as many as
    /// `bytes_max` allows.
    pub fn read(&self, offset: i64, bytes_max: usize) -> Result<Vec<Batch>> {
        let mut walk = Walk { segment: self, at: self.place_before(offset), chunk: Bytes::new() };
        let mut found = None;
        while let Some((at, head)) = walk.next()? {
            let begin = match found {
                None if head.last_offset < offset => continue,
                None => at,
                Some((begin, _)) => begin,
            };
            let end = at + head.bytes as u64;
            if found.is_some() && end - begin > bytes_max as u64 {
                break;
            }
            found = Some((begin, end));
        }
        let Some((begin, end)) = found else { return Ok(Vec::new()) };
        let mut bytes = self.chunk(begin, (end - begin) as usize)?;
        let mut batches = Vec::new();
        while let Some(head) = bytes.first_chunk().and_then(Head::parse) {
            batches.push(batch::decode(bytes.split_to(head.bytes))?);
        }
        Ok(batches)
    }

    /// The first batch with a record of this time or later.
    pub fn find_time(&self, timestamp: i64) -> Result<Option<Batch>> {
        let mut walk = Walk { segment: self, at: 0, chunk: Bytes::new() };
        while let Some((at, head)) = walk.next()? {
            if head.max_timestamp >= timestamp {
                return Ok(Some(batch::decode(self.chunk(at, head.bytes)?)?));
            }
        }
        Ok(None)
    }

    /// Where a batch stands that begins at or before `offset`, near it.
    fn place_before(&self, offset: i64) -> u64 {
        let index = &self.contents.index;
        match index.partition_point(|(base, _)| *base <= offset) {
            0 => 0,
            entries => index[entries - 1].1,
        }
    }

    fn chunk(&self, at: u64, bytes: usize) -> Result<Bytes> {
        let left = usize::try_from(self.contents.bytes - at).unwrap_or(usize::MAX);
        let mut chunk = BytesMut::zeroed(bytes.min(left));
        self.file.read_exact_at(&mut chunk, at)?;
        Ok(chunk.freeze())
    }

    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn base_offset(&self) -> i64 {
        self.contents.base_offset
    }

    pub fn next_offset(&self) -> i64 {
        self.contents.next_offset
    }

    pub fn bytes(&self) -> u64 {
        self.contents.bytes
    }

    pub fn max_timestamp(&self) -> i64 {
        self.contents.max_timestamp
    }

    /// A handle to make durable what was written, without holding the partition meanwhile.
    pub fn handle(&self) -> Result<File> {
        Ok(self.file.try_clone()?)
    }

    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path)?;
        match fs::remove_file(self.seal_path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn seal_path(&self) -> PathBuf {
        self.path.with_extension("seal")
    }
}

/// The heads of a segment's batches, one after the other.
struct Walk<'a> {
    segment: &'a Segment,
    at: u64,
    /// What was read from `at` on.
    chunk: Bytes,
}

impl Walk<'_> {
    /// The next head and its place; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Head)>> {
        if self.at >= self.segment.contents.bytes {
            return Ok(None);
        }
        if self.chunk.len() < HEAD_BYTES {
            self.chunk = self.segment.chunk(self.at, READ_BYTES)?;
        }
        let Some(head) = self.chunk.first_chunk().and_then(Head::parse) else {
            return Err(Error::Damaged { path: self.segment.path.clone(), at: self.at });
        };
        let at = self.at;
        self.at += head.bytes as u64;
        self.chunk = self.chunk.slice(head.bytes.min(self.chunk.len())..);
        Ok(Some((at, head)))
    }
}
