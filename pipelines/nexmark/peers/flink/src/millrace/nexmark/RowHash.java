package millrace.nexmark;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** The hash of a row, as the Rust crate {@code millrace-nexmark} defines it in {@code fingerprint.rs}. */
final class RowHash {
    private static final long SEED = 0x9e3779b97f4a7c15L;
    private static final long NULL = 0x6e756c6cL;
    private static final long MULTIPLIER = 0x9fb21c651e98df25L;
    private static final long FINISHER = 0xbf58476d1ce4e5b9L;

    private long hash = SEED;

    void reset() {
        hash = SEED;
    }

    void word(long word) {
        hash = (hash ^ word) * MULTIPLIER;
        hash ^= hash >>> 32;
    }

    void nothing() {
        word(NULL);
    }

    void number(double value) {
        word(Double.doubleToRawLongBits(value));
    }

    void text(StringData value) {
        BinaryStringData text = (BinaryStringData) value;
        text.ensureMaterialized();
        MemorySegment[] segments = text.getSegments();
        int size = text.getSizeInBytes();
        if (segments.length > 1) {
            text(MemorySegmentFactory.wrap(text.toBytes()), 0, size);
        } else {
            text(segments[0], text.getOffset(), size);
        }
    }

    private void text(MemorySegment bytes, int offset, int size) {
        word(size);
        int at = offset;
        for (int end = offset + (size & ~7); at < end; at += 8) {
            word(bytes.getLongLittleEndian(at));
        }
        int rest = size & 7;
        if (rest > 0) {
            long last = 0;
            for (int i = 0; i < rest; i++) {
                last |= (bytes.get(at + i) & 0xffL) << (8 * i);
            }
            word(last);
        }
    }

    long finish() {
        long finished = hash * FINISHER;
        return finished ^ (finished >>> 29);
    }

    /** Checks the rows of {@code tests/fingerprints.tsv}: {@code RowHash FILE}. */
    public static void main(String[] args) throws Exception {
        RowHash hash = new RowHash();
        int rows = 0;
        for (String line : Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8)) {
            String[] columns = line.split("\t", -1);
            hash.reset();
            for (int i = 1; i < columns.length; i++) {
                String[] column = columns[i].split(" ", 2);
                switch (column[0]) {
                    case "integer" -> hash.word(Long.parseLong(column[1]));
                    case "float" -> hash.number(Double.parseDouble(column[1]));
                    case "text" -> hash.text(StringData.fromString(column[1]));
                    case "null" -> hash.nothing();
                    default -> throw new IllegalArgumentException(line);
                }
            }
            String found = String.format("%016x", hash.finish());
            if (!found.equals(columns[0])) {
                throw new IllegalStateException(line + ": the hash is " + found);
            }
            rows++;
        }
        if (rows == 0) {
            throw new IllegalStateException(args[0] + " holds no rows");
        }
    }
}
