# The library: the file under test comes with the test.
omit_conf = src/lib/conf.c
omit_addr = src/lib/addr.c
omit_spool = src/lib/spool.c
libs_forwarder_batch = -lyajl -lz $(zstd)
extra_forwarder_batch = src/forwarder/pack.c
extra_forwarder_queue = src/forwarder/batch.c src/forwarder/pack.c src/forwarder/line.c src/forwarder/segment.c src/forwarder/tally.c
$O/unit/forwarder_queue: $(extra_forwarder_queue) src/forwarder/queue.c
libs_forwarder_queue = -lyajl -lz $(zstd)
extra_spool_sweep = src/forwarder/batch.c src/forwarder/pack.c src/forwarder/line.c src/forwarder/segment.c
libs_spool_sweep = -lyajl -lz $(zstd)
$O/unit/spool_sweep: $(extra_spool_sweep)
libs_forwarder_reply = -lyajl
extra_forwarder_deliver = src/forwarder/queue.c src/forwarder/pack.c src/forwarder/batch.c src/forwarder/line.c src/forwarder/backoff.c \
	src/forwarder/rename.c src/forwarder/segment.c src/forwarder/tally.c
$O/unit/forwarder_deliver: $(extra_forwarder_deliver) src/forwarder/deliver.c
libs_forwarder_deliver = -lyajl -lz $(zstd)
omit_url = src/lib/url.c
libs_url = -lcurl
libs_collector_seqs = -lsqlite3
libs_collector_gunzip = -lz
libs_collector_unzstd = $(zstd)
extra_collector_validate = src/collector/report.c src/collector/text.c
libs_collector_validate = -lyajl -lm
extra_collector_params = src/collector/report.c src/collector/text.c
extra_collector_gate = src/collector/dbfile.c
libs_collector_gate = -lsqlite3 -lyajl -lgnutls
extra_collector_live = src/collector/report.c
extra_collector_store = src/collector/addrinfo.c src/collector/names.c src/collector/blocks.c src/collector/column.c src/collector/few.c src/collector/days.c src/collector/dbfile.c src/collector/paths.c src/collector/report.c \
	src/collector/rollup.c src/collector/rtt.c src/collector/runs.c src/collector/seqs.c src/collector/text.c src/collector/upgrade.c \
	src/collector/validate.c
libs_collector_store = -lsqlite3 -lyajl -lm
extra_collector_paths = src/collector/column.c src/collector/few.c src/collector/rtt.c
libs_collector_paths = -lsqlite3
# The sensor's parent.
extra_sensor_plugins = src/sensor/child.c src/sensor/settings.c src/sensor/options.c src/sensor/classes.c
libs_sensor_bind = -lnetfilter_log
extra_sensor_bind = src/sensor/holder.c
extra_sensor_ruleset = src/sensor/classes.c src/sensor/ranges.c
libs_sensor_ruleset = -lnftnl
# The analyzer and its plugins.
omit_hash = src/lib/hash.c
omit_json = src/lib/json.c
libs_json = -lyajl
omit_loop = src/lib/loop.c
extra_ledger = src/analyzer/report.c
libs_ledger = -lyajl
extra_plugins = src/analyzer/host.c src/analyzer/trace.c src/analyzer/report.c src/analyzer/community.c src/analyzer/iface.c
libs_plugins = -lyajl
$O/unit/plugins: $(extra_plugins) src/analyzer/plugins.c
$O/unit/ledger: src/analyzer/ledger.c
$O/unit/trace_channel: src/analyzer/trace.c
$O/unit/traceroute: plugins/traceroute.c
extra_handshake = src/collector/rtt.c
$O/unit/handshake: plugins/handshake.c
# `net-gazerctl trace`.
extra_trace_options = src/trace/target.c
extra_trace_link = src/sensor/child.c src/sensor/settings.c
extra_trace_view = src/trace/json.c src/trace/path.c
$O/unit/trace_view: $(extra_trace_view)
omit_log = src/lib/log.c
omit_rawsock = src/lib/rawsock.c
$(patsubst tests/unit/%.c,$O/unit/%,$(wildcard tests/unit/collector_*.c)): $(wildcard src/collector/*.[ch])
extra_prober_serve = src/prober/admit.c src/prober/budget.c src/prober/inband.c
$O/unit/prober_serve: $(extra_prober_serve) src/prober/client.c
libs_collector_field = -lsqlite3
extra_collector_filter = src/collector/blocks.c src/collector/field.c src/collector/report.c src/collector/text.c
libs_collector_filter = -lsqlite3
extra_collector_geolink = src/collector/store.c $(extra_collector_store)
libs_collector_geolink = $(libs_collector_store)
$O/unit/collector_geolink: src/geo.h
$O/unit/geo_ranges: src/geo/ranges.c
extra_collector_graphdb = src/collector/column.c src/collector/dbfile.c src/collector/few.c src/collector/rtt.c src/collector/set.c
libs_collector_graphdb = -lsqlite3 -lm
