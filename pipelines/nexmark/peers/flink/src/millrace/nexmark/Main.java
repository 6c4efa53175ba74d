package millrace.nexmark;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.ExplainDetail;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * {@code Main --sql FOLDER --query q4 --events FILE --workers N [--explain yes]}: runs one query twice in a
 * cluster inside this process. The first run warms up and weighs the state, the second is measured; a line of
 * JSON tells both.
 */
public final class Main {
    /** Queries whose windows close by a watermark; to all others it would only be work. */
    private static final String WINDOWED = " q5 q7 q8 q11 ";

    private Main() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            options.put(args[i], args[i + 1]);
        }
        Path folder = Path.of(options.get("--sql"));
        String name = options.get("--query");
        boolean windowed = WINDOWED.contains(" " + name + " ");
        String watermark = ", WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND";
        String tables = Files.readString(folder.resolve("tables.sql")).replace("${WATERMARK}", windowed ? watermark : "");
        String query = Files.readString(folder.resolve("queries/" + name + ".sql"));
        Events.load(Path.of(options.get("--events")));
        for (boolean weigh : new boolean[] {true, false}) {
            StreamTableEnvironment environment = environment(Integer.parseInt(options.get("--workers")));
            for (String table : tables.split(";\\s*")) {
                environment.executeSql(table);
            }
            Table result = environment.sqlQuery(query);
            if (options.containsKey("--explain")) {
                System.out.println(result.explain(ExplainDetail.CHANGELOG_MODE));
                return;
            }
            environment.createTemporaryTable(
                    "result",
                    TableDescriptor.forConnector("hash")
                            .schema(Schema.newBuilder()
                                    .fromRowDataType(result.getResolvedSchema().toPhysicalRowDataType())
                                    .build())
                            .build());
            Clock.reset(weigh);
            result.executeInsert("result").await();
        }
        System.out.println(Clock.json());
        System.exit(0);
    }

    private static StreamTableEnvironment environment(int parallelism) {
        Configuration configuration = new Configuration();
        for (String address : new String[] {
            "jobmanager.bind-host", "taskmanager.bind-host", "taskmanager.host", "rest.bind-address", "rest.address"
        }) {
            configuration.setString(address, "127.0.0.1");
        }
        configuration.setString("rest.bind-port", "0");
        configuration.setString("state.backend.type", "hashmap");
        configuration.setString("table.local-time-zone", "UTC");
        return StreamTableEnvironment.create(
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration));
    }
}
