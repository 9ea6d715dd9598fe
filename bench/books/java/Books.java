import exchange.core2.collections.objpool.ObjectsPool;
import exchange.core2.core.ExchangeApi;
import exchange.core2.core.ExchangeCore;
import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.CoreWaitStrategy;
import exchange.core2.core.common.MatcherEventType;
import exchange.core2.core.common.MatcherTradeEvent;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.api.ApiAddUser;
import exchange.core2.core.common.api.ApiAdjustUserBalance;
import exchange.core2.core.common.api.ApiCancelOrder;
import exchange.core2.core.common.api.ApiCommand;
import exchange.core2.core.common.api.ApiMoveOrder;
import exchange.core2.core.common.api.ApiPlaceOrder;
import exchange.core2.core.common.api.binary.BatchAddSymbolsCommand;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.cmd.OrderCommandType;
import exchange.core2.core.common.config.ExchangeConfiguration;
import exchange.core2.core.common.config.InitialStateConfiguration;
import exchange.core2.core.common.config.LoggingConfiguration;
import exchange.core2.core.common.config.OrdersProcessingConfiguration;
import exchange.core2.core.common.config.PerformanceConfiguration;
import exchange.core2.core.common.config.ReportsQueriesConfiguration;
import exchange.core2.core.common.config.SerializationConfiguration;
import exchange.core2.core.orderbook.IOrderBook;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import exchange.core2.core.orderbook.OrderBookEventsHelper;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Measures exchange-core: {@code Books BOOK FILE COMMANDS} prints one line of JSON, as the harness in Rust does. The bare
 * books are stated in processor time of their thread, the pipeline with its many threads in wall time.
 */
public final class Books {
    private static final int HEADER_BYTES = 64;
    private static final int RECORD_BYTES = 32;
    private static final int LIMIT = 1;
    private static final int MARKET = 2;
    private static final int CANCEL = 3;
    /** So many commands warm the compiler up, in no more than so many passes. */
    private static final int WARM_COMMANDS = 4_000_000;

    private static final int MOST_PASSES = 12;
    private static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();
    private static final int USERS = 1_000;
    private static final long PLENTY = 1_000_000_000_000_000L;

    /** A workload in columns; the format is told in record.rs. */
    private static final class Workload {
        final int instruments;
        final int filling;
        final int end;
        final long lowest;
        final long highest;
        final byte[] kind;
        final OrderAction[] side;
        final int[] instrument;
        final long[] id;
        final long[] price;
        final long[] qty;

        Workload(Path file, int commands) throws IOException {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
            instruments = bytes.getInt(8);
            filling = (int) bytes.getLong(16);
            end = filling + (int) Math.min(commands, bytes.getLong(24));
            lowest = bytes.getLong(32);
            highest = bytes.getLong(40);
            kind = new byte[end];
            side = new OrderAction[end];
            instrument = new int[end];
            id = new long[end];
            price = new long[end];
            qty = new long[end];
            for (int i = 0, at = HEADER_BYTES; i < end; i++, at += RECORD_BYTES) {
                kind[i] = bytes.get(at);
                side[i] = bytes.get(at + 1) == 1 ? OrderAction.BID : OrderAction.ASK;
                instrument[i] = bytes.getInt(at + 4);
                id[i] = bytes.getLong(at + 8);
                price[i] = bytes.getLong(at + 16);
                qty[i] = bytes.getLong(at + 24);
            }
        }

        /** There are no market orders: an immediate order at the last price of the other side. */
        long limitPrice(int i) {
            return kind[i] != MARKET ? price[i] : side[i] == OrderAction.BID ? highest : lowest;
        }
    }

    /** What a book told. */
    private static final class Tape {
        long trades;
        long volume;
        long hash = 0xCBF29CE484222325L;

        void note(long maker, long taker, long price, long qty) {
            hash = (hash ^ maker) * 0x100000001B3L;
            hash = (hash ^ taker) * 0x100000001B3L;
            hash = (hash ^ price) * 0x100000001B3L;
            hash = (hash ^ qty) * 0x100000001B3L;
        }
    }

    private final Workload work;
    private IOrderBook[] books;
    private final OrderCommand command = new OrderCommand();
    private double wall;

    private Books(Workload work) {
        this.work = work;
    }

    private static CoreSymbolSpecification symbol(int number) {
        return CoreSymbolSpecification.builder()
                .symbolId(number)
                .type(SymbolType.CURRENCY_EXCHANGE_PAIR)
                .baseCurrency(1)
                .quoteCurrency(2)
                .baseScaleK(1)
                .quoteScaleK(1)
                .takerFee(0)
                .makerFee(0)
                .build();
    }

    private void fill() {
        ObjectsPool pool = ObjectsPool.createDefaultTestPool();
        OrderBookEventsHelper events = OrderBookEventsHelper.NON_POOLED_EVENTS_HELPER;
        books = new IOrderBook[work.instruments];
        for (int i = 0; i < books.length; i++) {
            books[i] = new OrderBookDirectImpl(symbol(i), pool, events, LoggingConfiguration.DEFAULT);
        }
        Tape tape = new Tape();
        for (int i = 0; i < work.filling; i++) {
            apply(i, tape, false);
        }
    }

    private void apply(int i, Tape tape, boolean hashes) {
        OrderCommand c = command;
        c.orderId = work.id[i];
        c.symbol = work.instrument[i];
        c.uid = 1;
        c.action = work.side[i];
        c.price = work.limitPrice(i);
        c.size = work.qty[i];
        c.reserveBidPrice = work.highest;
        c.matcherEvent = null;
        c.resultCode = CommandResultCode.VALID_FOR_MATCHING_ENGINE;
        byte kind = work.kind[i];
        if (kind <= MARKET) {
            c.command = OrderCommandType.PLACE_ORDER;
            c.orderType = kind == LIMIT ? OrderType.GTC : OrderType.IOC;
        } else {
            c.command = kind == CANCEL ? OrderCommandType.CANCEL_ORDER : OrderCommandType.MOVE_ORDER;
        }
        c.resultCode = IOrderBook.processCommand(books[work.instrument[i]], c);
        for (MatcherTradeEvent event = c.matcherEvent; event != null; event = event.nextEvent) {
            if (event.eventType == MatcherEventType.TRADE) {
                tape.trades++;
                tape.volume += event.size;
                if (hashes) {
                    tape.note(event.matchedOrderId, work.id[i], event.price, event.size);
                }
            }
        }
    }

    private double pass() {
        fill();
        Tape tape = new Tape();
        long beganWall = System.nanoTime();
        long began = CLOCK.getCurrentThreadCpuTime();
        for (int i = work.filling; i < work.end; i++) {
            apply(i, tape, false);
        }
        wall = (System.nanoTime() - beganWall) / 1e9;
        return (CLOCK.getCurrentThreadCpuTime() - began) / 1e9;
    }

    private String bare() {
        double first = pass();
        int commands = Math.max(1, work.end - work.filling);
        double[] warm = new double[Math.min(MOST_PASSES, Math.max(5, WARM_COMMANDS / commands))];
        for (int i = 0; i < warm.length; i++) {
            warm[i] = pass();
        }
        // The first ones still compile.
        double[] last = Arrays.copyOfRange(warm, warm.length - 3, warm.length);
        Arrays.sort(last);
        fill();
        int[] nanos = new int[work.end - work.filling];
        Tape timed = new Tape();
        for (int i = work.filling; i < work.end; i++) {
            long began = System.nanoTime();
            apply(i, timed, false);
            nanos[i - work.filling] = (int) Math.min(Integer.MAX_VALUE, System.nanoTime() - began);
        }
        books = null;
        long before = usedBytes();
        fill();
        long bytes = usedBytes() - before;
        Tape tape = new Tape();
        for (int i = work.filling; i < work.end; i++) {
            apply(i, tape, true);
        }
        return json(last[last.length / 2], first, nanos, tape, "\"" + String.format("%016x", tape.hash) + "\"",
                timed.trades == tape.trades && timed.volume == tape.volume, bytes);
    }

    private String json(
            double seconds, double first, int[] nanos, Tape tape, String hash, boolean same, long bytes) {
        String percentiles = "";
        if (nanos != null) {
            Arrays.sort(nanos);
            percentiles = String.format("\"p50_ns\":%d,\"p99_ns\":%d,\"p999_ns\":%d,", at(nanos, 0.5),
                    at(nanos, 0.99), at(nanos, 0.999));
        }
        return String.format(
                "{\"commands\":%d,\"seconds\":%.9f,\"wall_seconds\":%.9f,\"first_seconds\":%.9f,%s\"trades\":%d,\"volume\":%d,\"hash\":%s,"
                        + "\"is_same\":%b,\"filling\":%d,\"filling_bytes\":%d}",
                work.end - work.filling, seconds, wall, first, percentiles, tape.trades, tape.volume, hash, same,
                work.filling, bytes);
    }

    private static int at(int[] sorted, double share) {
        return sorted[(int) ((sorted.length - 1) * share)];
    }

    private static long usedBytes() {
        Runtime runtime = Runtime.getRuntime();
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return runtime.totalMemory() - runtime.freeMemory();
    }

    /** All of it: grouping, risk and balances, matching and results, each on a thread of its own. */
    private String pipeline() throws InterruptedException {
        ApiCommand[] commands = new ApiCommand[work.end];
        for (int i = 0; i < work.end; i++) {
            commands[i] = apiCommand(i);
        }
        double first = pipelinePass(commands, new Tape());
        double[] warm = new double[3];
        Tape tape = new Tape();
        for (int i = 0; i < warm.length; i++) {
            tape = new Tape();
            warm[i] = pipelinePass(commands, tape);
        }
        Arrays.sort(warm);
        wall = warm[1];
        return json(warm[1], first, null, tape, "\"" + String.format("%016x", tape.hash) + "\"", true, 0);
    }

    private ApiCommand apiCommand(int i) {
        long uid = 1 + work.id[i] % USERS;
        if (work.kind[i] <= MARKET) {
            return ApiPlaceOrder.builder()
                    .orderId(work.id[i])
                    .uid(uid)
                    .symbol(work.instrument[i] + 1)
                    .action(work.side[i])
                    .orderType(work.kind[i] == LIMIT ? OrderType.GTC : OrderType.IOC)
                    .price(work.limitPrice(i))
                    .reservePrice(work.highest)
                    .size(work.qty[i])
                    .build();
        }
        if (work.kind[i] == CANCEL) {
            return ApiCancelOrder.builder().orderId(work.id[i]).uid(uid).symbol(work.instrument[i] + 1).build();
        }
        return ApiMoveOrder.builder()
                .orderId(work.id[i])
                .newPrice(work.price[i])
                .uid(uid)
                .symbol(work.instrument[i] + 1)
                .build();
    }

    private double pipelinePass(ApiCommand[] commands, Tape tape) throws InterruptedException {
        long[] done = new long[1];
        boolean[] counts = new boolean[1];
        Object bell = new Object();
        ExchangeConfiguration configuration = ExchangeConfiguration.defaultBuilder()
                .ordersProcessingCfg(OrdersProcessingConfiguration.DEFAULT)
                .initStateCfg(InitialStateConfiguration.CLEAN_TEST)
                .performanceCfg(PerformanceConfiguration.baseBuilder()
                        .ringBufferSize(64 * 1024)
                        .matchingEnginesNum(1)
                        .riskEnginesNum(1)
                        .msgsInGroupLimit(4_096)
                        .maxGroupDurationNs(4_000_000)
                        .waitStrategy(CoreWaitStrategy.BLOCKING)
                        .orderBookFactory(OrderBookDirectImpl::new)
                        .build())
                .reportsQueriesCfg(ReportsQueriesConfiguration.DEFAULT)
                .loggingCfg(LoggingConfiguration.DEFAULT)
                .serializationCfg(SerializationConfiguration.DEFAULT)
                .build();
        ExchangeCore core = ExchangeCore.builder()
                .resultsConsumer((c, seq) -> {
                    OrderCommandType type = c.command;
                    if (type != OrderCommandType.PLACE_ORDER && type != OrderCommandType.CANCEL_ORDER
                            && type != OrderCommandType.MOVE_ORDER) {
                        return;
                    }
                    if (c.resultCode != CommandResultCode.SUCCESS) {
                        throw new IllegalStateException(c.resultCode + " for order " + c.orderId);
                    }
                    if (counts[0]) {
                        for (MatcherTradeEvent event = c.matcherEvent; event != null; event = event.nextEvent) {
                            if (event.eventType == MatcherEventType.TRADE) {
                                tape.trades++;
                                tape.volume += event.size;
                                tape.note(event.matchedOrderId, c.orderId, event.price, event.size);
                            }
                        }
                    }
                    done[0]++;
                    if (done[0] == work.filling || done[0] == work.end) {
                        synchronized (bell) {
                            bell.notifyAll();
                        }
                    }
                })
                .exchangeConfiguration(configuration)
                .build();
        core.startup();
        try {
            ExchangeApi api = core.getApi();
            List<CoreSymbolSpecification> symbols = new ArrayList<>();
            for (int i = 0; i < work.instruments; i++) {
                symbols.add(symbol(i + 1));
            }
            api.submitBinaryDataAsync(new BatchAddSymbolsCommand(symbols)).join();
            List<ApiCommand> users = new ArrayList<>();
            for (long uid = 1; uid <= USERS; uid++) {
                users.add(ApiAddUser.builder().uid(uid).build());
                for (int currency = 1; currency <= 2; currency++) {
                    users.add(ApiAdjustUserBalance.builder()
                            .uid(uid)
                            .currency(currency)
                            .amount(PLENTY)
                            .transactionId(currency)
                            .build());
                }
            }
            api.submitCommandsSync(users);
            for (int i = 0; i < work.filling; i++) {
                api.submitCommand(commands[i]);
            }
            await(bell, done, work.filling);
            counts[0] = true;
            long began = System.nanoTime();
            for (int i = work.filling; i < work.end; i++) {
                api.submitCommand(commands[i]);
            }
            await(bell, done, work.end);
            return (System.nanoTime() - began) / 1e9;
        } finally {
            core.shutdown(10, TimeUnit.SECONDS);
        }
    }

    private static void await(Object bell, long[] done, long count) throws InterruptedException {
        long deadline = System.nanoTime() + 120_000_000_000L;
        synchronized (bell) {
            while (done[0] < count) {
                bell.wait(50);
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("only " + done[0] + " of " + count + " commands came back");
                }
            }
        }
    }

    public static void main(String[] words) throws Exception {
        Books books = new Books(new Workload(Path.of(words[1]), Integer.parseInt(words[2])));
        System.out.println(words[0].equals("exchange-core-pipeline") ? books.pipeline() : books.bare());
        System.exit(0);
    }
}
