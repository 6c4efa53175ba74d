package millrace.nexmark;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** The tables in memory: blocks of rows, numbers apart from text, so that a run times the query alone. */
final class Events {
    private static final int BLOCK_ROWS = 500;
    private static final int SIDE_ROWS = 10_000;

    /** A table; a column is a number (n), a time in milliseconds (t) or text (s). */
    static final class Table {
        private final String kinds;
        private final int[] slots;
        private final int numbers;
        private final int texts;
        private final List<Block> blocks = new ArrayList<>();
        private long[] number;
        private int[] end;
        private byte[] text = new byte[1 << 16];
        private int rows;
        private int numbersUsed;
        private int textsUsed;
        private int bytesUsed;

        Table(String kinds) {
            this.kinds = kinds;
            slots = new int[kinds.length()];
            int n = 0;
            int s = 0;
            for (int i = 0; i < slots.length; i++) {
                slots[i] = kinds.charAt(i) == 's' ? s++ : n++;
            }
            numbers = n;
            texts = s;
            begin();
        }

        private void begin() {
            number = new long[BLOCK_ROWS * numbers];
            end = new int[BLOCK_ROWS * texts + 1];
            rows = numbersUsed = textsUsed = bytesUsed = 0;
        }

        int blocks() {
            return blocks.size();
        }

        int rows(int block) {
            return blocks.get(block).rows;
        }

        /** Takes in the columns of a line, from {@code at} on. */
        private void add(byte[] line, int at, int length) {
            for (int column = 0; column < slots.length; column++) {
                int stop = at;
                while (stop < length && line[stop] != ',') {
                    stop++;
                }
                if (kinds.charAt(column) == 's') {
                    if (bytesUsed + stop - at > text.length) {
                        text = Arrays.copyOf(text, 2 * text.length);
                    }
                    System.arraycopy(line, at, text, bytesUsed, stop - at);
                    bytesUsed += stop - at;
                    end[++textsUsed] = bytesUsed;
                } else {
                    long value = 0;
                    for (int i = at; i < stop; i++) {
                        value = value * 10 + (line[i] - '0');
                    }
                    number[numbersUsed++] = value;
                }
                at = stop + 1;
            }
            if (++rows == BLOCK_ROWS) {
                finish();
            }
        }

        private void finish() {
            if (rows > 0) {
                blocks.add(new Block(rows, number, end, Arrays.copyOf(text, bytesUsed)));
                begin();
            }
        }

        /**
         * Some columns of a row; a column beyond the last is the number of milliseconds of the time column.
         */
        RowData row(int block, int row, int[] columns) {
            Block b = blocks.get(block);
            GenericRowData result = new GenericRowData(columns.length);
            for (int i = 0; i < columns.length; i++) {
                boolean isMillis = columns[i] == slots.length;
                int column = isMillis ? kinds.indexOf('t') : columns[i];
                int slot = slots[column];
                if (kinds.charAt(column) == 's') {
                    int place = row * texts + slot;
                    int start = b.end[place];
                    result.setField(i, BinaryStringData.fromBytes(b.text, start, b.end[place + 1] - start));
                } else {
                    long value = b.number[row * numbers + slot];
                    boolean isTime = kinds.charAt(column) == 't' && !isMillis;
                    result.setField(i, isTime ? (Object) TimestampData.fromEpochMillis(value) : (Object) value);
                }
            }
            return result;
        }
    }

    private record Block(int rows, long[] number, int[] end, byte[] text) {}

    private static Map<String, Table> tables = Map.of();

    private Events() {}

    /** The tasks of a job run in this process and find the tables here. */
    static Table table(String name) {
        Table table = tables.get(name);
        if (table == null) {
            throw new IllegalArgumentException("no table in memory is called " + name);
        }
        return table;
    }

    /** Reads the file that {@code millrace bench nexmark} writes. */
    static void load(Path file) throws IOException {
        Table person = new Table("nsssssts");
        Table auction = new Table("nssnnttnns");
        Table bid = new Table("nnnssts");
        Table side = new Table("ns");
        byte[] line = new byte[1 << 12];
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 20)) {
            int length = 0;
            for (int c = in.read(); c >= 0; c = in.read()) {
                if (c != '\n') {
                    line[length++] = (byte) c;
                    continue;
                }
                Table table = line[0] == 'p' ? person : line[0] == 'a' ? auction : bid;
                table.add(line, 2, length);
                length = 0;
            }
        }
        for (int key = 0; key < SIDE_ROWS; key++) {
            byte[] row = (key + "," + key).getBytes();
            side.add(row, 0, row.length);
        }
        tables = Map.of("person", person, "auction", auction, "bid", bid, "side_input", side);
        tables.values().forEach(Table::finish);
    }
}
