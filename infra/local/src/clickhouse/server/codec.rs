//! Compression of bodies: HTTP content codings, and ClickHouse's own blocks (`compress=1`,
//! `decompress=1`).

use std::io::{self, Read};

use super::failure::{Failure, code};

/// Longest body and block taken, after decompression.
pub(super) const BYTES_MAX: usize = 512 * 1024 * 1024;

const CHECKSUM: usize = 16;
/// Method, compressed size (this header included), uncompressed size.
const HEADER: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
const METHOD_ZSTD: u8 = 0x90;

/// Decodes a body by its `Content-Encoding`.
pub(super) fn decode_content(coding: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body.to_vec()),
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(body)),
        "deflate" => read(flate2::read::ZlibDecoder::new(body)),
        "lz4" => read(Frames(lz4_flex::frame::FrameDecoder::new(body))),
        "zstd" => read(zstd::stream::read::Decoder::new(body).map_err(undecodable)?),
        other => Err(Failure::new(
            code::UNKNOWN_COMPRESSION_METHOD,
            format!(
                "Content-Encoding '{other}' is not supported: use lz4, zstd, gzip, deflate or none. (UNKNOWN_COMPRESSION_METHOD)"
            ),
        )),
    }
}

fn read(decoder: impl Read) -> Result<Vec<u8>, Failure> {
    let mut decoded = Vec::new();
    let read = decoder.take(BYTES_MAX as u64 + 1).read_to_end(&mut decoded).map_err(undecodable)?;
    if read > BYTES_MAX { Err(Failure::body_too_large()) } else { Ok(decoded) }
}

/// All frames of an LZ4 body: the decoder alone says that it is done after the first one.
struct Frames<'a>(lz4_flex::frame::FrameDecoder<&'a [u8]>);

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.0.read(buffer)?;
            if length > 0 || buffer.is_empty() || self.0.get_ref().is_empty() {
                return Ok(length);
            }
        }
    }
}

fn undecodable(error: io::Error) -> Failure {
    corrupt(&format!("the body cannot be decompressed: {error}"))
}

fn corrupt(reason: &str) -> Failure {
    Failure::new(code::CANNOT_DECOMPRESS, format!("{reason}. (CANNOT_DECOMPRESS)"))
}

/// Decodes a sequence of ClickHouse's compressed blocks.
pub(super) fn decode_blocks(mut blocks: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut decoded = Vec::new();
    while !blocks.is_empty() {
        let (checksum, rest) = blocks
            .split_at_checked(CHECKSUM)
            .ok_or_else(|| corrupt("a compressed block is cut off"))?;
        let header: &[u8; HEADER] =
            rest.first_chunk().ok_or_else(|| corrupt("a compressed block is cut off"))?;
        let [method, c0, c1, c2, c3, u0, u1, u2, u3] = *header;
        let compressed = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
        let uncompressed = u32::from_le_bytes([u0, u1, u2, u3]) as usize;
        let (block, next) = rest
            .split_at_checked(compressed)
            .filter(|_| compressed >= HEADER)
            .ok_or_else(|| corrupt("a compressed block is cut off"))?;
        if checksum != block_checksum(block) {
            return Err(Failure::new(
                code::CHECKSUM_DOESNT_MATCH,
                "Checksum of a compressed block doesn't match. (CHECKSUM_DOESNT_MATCH)".into(),
            ));
        }
        if decoded.len() + uncompressed > BYTES_MAX {
            return Err(Failure::body_too_large());
        }
        let data = &block[HEADER..];
        let start = decoded.len();
        match method {
            METHOD_NONE => decoded.extend_from_slice(data),
            METHOD_LZ4 => {
                decoded.resize(start + uncompressed, 0);
                let length = lz4_flex::block::decompress_into(data, &mut decoded[start..])
                    .map_err(|e| corrupt(&e.to_string()))?;
                decoded.truncate(start + length);
            }
            METHOD_ZSTD => {
                decoded.extend(zstd::bulk::decompress(data, uncompressed).map_err(undecodable)?)
            }
            other => {
                let message = format!(
                    "Compression method {other:#x} of a block is not supported. (UNKNOWN_COMPRESSION_METHOD)"
                );
                return Err(Failure::new(code::UNKNOWN_COMPRESSION_METHOD, message));
            }
        }
        if decoded.len() - start != uncompressed {
            return Err(corrupt("a compressed block has another length than it says"));
        }
        blocks = next;
    }
    Ok(decoded)
}

/// Encodes data as ClickHouse's LZ4 blocks.
pub(super) fn encode_blocks(data: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 1024 * 1024;
    let mut encoded = Vec::new();
    for piece in data.chunks(BLOCK) {
        let compressed = lz4_flex::block::compress(piece);
        let mut block = Vec::with_capacity(HEADER + compressed.len());
        block.push(METHOD_LZ4);
        let sizes = [HEADER + compressed.len(), piece.len()]
            .map(|size| u32::try_from(size).expect("a piece is 1 MiB at most"));
        block.extend(sizes.into_iter().flat_map(u32::to_le_bytes));
        block.extend(compressed);
        encoded.extend(block_checksum(&block));
        encoded.extend(block);
    }
    encoded
}

/// CityHash128 1.0.2 of header and data, its halves in ClickHouse's order.
fn block_checksum(block: &[u8]) -> [u8; CHECKSUM] {
    cityhash_rs::cityhash_102_128(block).rotate_right(64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn data() -> Vec<u8> {
        (0..3_000_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect()
    }

    #[test]
    fn blocks_come_back_as_they_were() {
        let data = data();
        let encoded = encode_blocks(&data);
        assert!(encoded.len() < data.len());
        assert!(decode_blocks(&encoded).unwrap() == data);
        assert!(decode_blocks(&[]).unwrap().is_empty());
    }

    #[test]
    fn damaged_blocks_are_refused() {
        let encoded = encode_blocks(b"twelve bytes");
        for at in 0..encoded.len() {
            let mut damaged = encoded.clone();
            damaged[at] ^= 1;
            assert!(decode_blocks(&damaged).is_err(), "byte {at}");
        }
        assert!(decode_blocks(&encoded[..encoded.len() - 1]).is_err());
    }

    #[test]
    fn content_codings_come_back_as_they_were() {
        let data = data();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&data).unwrap();
        assert!(decode_content("gzip", &gzip.finish().unwrap()).unwrap() == data);
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&data).unwrap();
        let mut frames = lz4.finish().unwrap();
        assert!(decode_content("LZ4", &frames).unwrap() == data);
        frames.extend_from_within(..);
        assert!(decode_content("lz4", &frames).unwrap() == [data.as_slice(), &data].concat());
        assert!(decode_content("lz4", &frames[..frames.len() - 20]).is_err());
        assert!(decode_content("zstd", &zstd::bulk::compress(&data, 1).unwrap()).unwrap() == data);
        assert!(decode_content("br", &data).is_err());
        assert!(decode_content("gzip", &data).is_err());
    }
}
