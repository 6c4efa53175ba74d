package millrace.nexmark;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicLong;

/** What one run measures: from the first reader of a source to the last row at the sink. */
final class Clock {
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final AtomicLong FINGERPRINT = new AtomicLong();
    private static boolean running;
    private static boolean weighs;
    private static long heapBefore;
    private static long heapAfter;
    private static long cpuStart;
    private static long cpuEnd;
    private static long wallStart;
    private static long wallEnd;

    private Clock() {}

    /** Before a run; {@code weigh} measures the heap at its end instead of time. */
    static synchronized void reset(boolean weigh) {
        running = false;
        weighs = weigh;
        FINGERPRINT.set(0);
        if (weigh) {
            heapBefore = usedHeap();
        }
    }

    static synchronized void start() {
        if (!running) {
            running = true;
            cpuStart = SYSTEM.getProcessCpuTime();
            wallStart = System.nanoTime();
        }
    }

    /** At the end of a sink's input, when the operators before it still hold what they keep. */
    static synchronized void stop(long fingerprint) {
        FINGERPRINT.addAndGet(fingerprint);
        cpuEnd = SYSTEM.getProcessCpuTime();
        wallEnd = System.nanoTime();
        if (weighs) {
            heapAfter = usedHeap();
        }
    }

    private static long usedHeap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    static synchronized String json() {
        return String.format(
                java.util.Locale.ROOT,
                "{\"fingerprint\":%s,\"cpu_seconds\":%.3f,\"wall_seconds\":%.3f,\"state_bytes\":%d,"
                        + "\"epochs\":null,\"epoch_ms_p99\":null}",
                Long.toUnsignedString(FINGERPRINT.get()),
                (cpuEnd - cpuStart) / 1e9,
                (wallEnd - wallStart) / 1e9,
                Math.max(0, heapAfter - heapBefore));
    }
}
