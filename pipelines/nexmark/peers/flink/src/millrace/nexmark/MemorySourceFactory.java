package millrace.nexmark;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;
import org.apache.flink.util.Collector;

/** {@code 'connector' = 'memory', 'table' = NAME}: a table of {@link Events}, bounded, only its used columns. */
public final class MemorySourceFactory implements DynamicTableSourceFactory {
    private static final ConfigOption<String> TABLE = ConfigOptions.key("table").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "memory";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(TABLE);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        DataType type = context.getPhysicalRowDataType();
        int[] columns = IntStream.range(0, type.getChildren().size()).toArray();
        return new Source(helper.getOptions().get(TABLE), columns, type);
    }

    private static final class Source implements ScanTableSource, SupportsProjectionPushDown {
        private final String table;
        private int[] columns;
        private DataType type;

        Source(String table, int[] columns, DataType type) {
            this.table = table;
            this.columns = columns;
            this.type = type;
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public DynamicTableSource copy() {
            return new Source(table, columns, type);
        }

        @Override
        public String asSummaryString() {
            return table + " in memory";
        }

        @Override
        public boolean supportsNestedProjection() {
            return false;
        }

        @Override
        public void applyProjection(int[][] fields, DataType projected) {
            columns = Arrays.stream(fields).mapToInt(field -> field[0]).toArray();
            type = projected;
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            TypeInformation<RowData> rows = context.createTypeInformation(type);
            return new DataStreamScanProvider() {
                @Override
                public boolean isBounded() {
                    return true;
                }

                @Override
                public DataStream<RowData> produceDataStream(
                        ProviderContext provider, StreamExecutionEnvironment environment) {
                    int readers = environment.getParallelism();
                    int blocks = Events.table(table).blocks();
                    // Each reader gets as many consecutive numbers.
                    int each = (blocks + readers - 1) / readers;
                    return environment
                            .fromSequence(0, (long) each * readers - 1)
                            .flatMap(new Blocks(table, columns, readers, each), rows);
                }
            };
        }
    }

    /** Turns a number into a block of rows. Blocks go round the readers, so that these stay in step. */
    private static final class Blocks extends RichFlatMapFunction<Long, RowData> {
        private final String table;
        private final int[] columns;
        private final int readers;
        private final int each;

        Blocks(String table, int[] columns, int readers, int each) {
            this.table = table;
            this.columns = columns;
            this.readers = readers;
            this.each = each;
        }

        @Override
        public void open(OpenContext context) {
            Clock.start();
        }

        @Override
        public void flatMap(Long number, Collector<RowData> out) {
            Events.Table rows = Events.table(table);
            int block = (int) ((number % each) * readers + number / each);
            if (block >= rows.blocks()) {
                return;
            }
            for (int row = 0; row < rows.rows(block); row++) {
                out.collect(rows.row(block, row, columns));
            }
        }
    }
}
