package millrace.nexmark;

import java.util.Set;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.types.RowKind;

/** {@code 'connector' = 'hash'}: hashes every column of every change and sums the hashes by weight. */
public final class HashSinkFactory implements DynamicTableSinkFactory {
    @Override
    public String factoryIdentifier() {
        return "hash";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        LogicalType[] types =
                context.getPhysicalRowDataType().getLogicalType().getChildren().toArray(new LogicalType[0]);
        return new HashSink(types);
    }

    private record HashSink(LogicalType[] types) implements DynamicTableSink {
        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return ChangelogMode.all();
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            return SinkV2Provider.of(new Rows(types));
        }

        @Override
        public DynamicTableSink copy() {
            return new HashSink(types);
        }

        @Override
        public String asSummaryString() {
            return "hash";
        }
    }

    private record Rows(LogicalType[] types) implements Sink<RowData> {
        @Override
        public SinkWriter<RowData> createWriter(WriterInitContext context) {
            return new Writer(types);
        }
    }

    private static final class Writer implements SinkWriter<RowData> {
        private final LogicalType[] types;
        private final RowHash hash = new RowHash();
        private long sum;

        Writer(LogicalType[] types) {
            this.types = types;
        }

        @Override
        public void write(RowData row, Context context) {
            hash.reset();
            for (int i = 0; i < types.length; i++) {
                if (row.isNullAt(i)) {
                    hash.nothing();
                    continue;
                }
                switch (types[i].getTypeRoot()) {
                    case BIGINT -> hash.word(row.getLong(i));
                    case INTEGER, DATE -> hash.word(row.getInt(i));
                    case DOUBLE -> hash.number(row.getDouble(i));
                    case CHAR, VARCHAR -> hash.text(row.getString(i));
                    case TIMESTAMP_WITHOUT_TIME_ZONE -> hash.word(row.getTimestamp(i, 3).getMillisecond());
                    default -> throw new IllegalArgumentException("no hash is defined for " + types[i]);
                }
            }
            RowKind kind = row.getRowKind();
            boolean comes = kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER;
            sum += comes ? hash.finish() : -hash.finish();
        }

        @Override
        public void flush(boolean endOfInput) {
            if (endOfInput) {
                Clock.stop(sum);
                sum = 0;
            }
        }

        @Override
        public void close() {}
    }
}
