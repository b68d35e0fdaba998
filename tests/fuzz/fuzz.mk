libs_forwarder_reply = -lyajl
libs_forwarder_batch = -lyajl -lz $(zstd)
extra_forwarder_batch = src/forwarder/pack.c
extra_forwarder_spool = src/forwarder/batch.c src/forwarder/line.c src/forwarder/pack.c
libs_forwarder_spool = -lyajl -lz $(zstd)
$O/fuzz/forwarder_batch: src/forwarder/batch.c src/forwarder/line.c
$O/fuzz/forwarder_spool: $(extra_forwarder_spool) src/forwarder/segment.c
extra_config = src/sensor/options.c
libs_json = -lyajl
# Of several sources the compiler's .d names the last only.
$O/fuzz/packet: src/analyzer/packet.c tests/unit/packet_rules.h
$O/fuzz/batch: src/analyzer/batch.c
$O/fuzz/frame: src/replay/frame.c
$O/fuzz/flow: src/analyzer/flow.c tests/unit/flow_model.h
$O/fuzz/settings: src/analyzer/settings.c
$O/fuzz/json: src/lib/json.c tests/unit/json_read.h
extra_intake = src/collector/addrinfo.c src/collector/names.c src/collector/blocks.c src/collector/column.c src/collector/few.c src/collector/days.c src/collector/dbfile.c src/collector/paths.c src/collector/gunzip.c src/collector/unzstd.c \
	src/collector/intake.c src/collector/live.c src/collector/report.c src/collector/rollup.c src/collector/rtt.c src/collector/runs.c \
	src/collector/seqs.c src/collector/store.c src/collector/upgrade.c src/collector/text.c src/collector/validate.c
libs_intake = -lyajl -lsqlite3 -lz $(zstd) -lm
$O/fuzz/intake: $(extra_intake)
$O/fuzz/prober_wire: src/prober/wire.c tests/unit/wire_answers.h
extra_prober_request = src/prober/budget.c src/prober/wire.c
$O/fuzz/prober_request: src/prober/admit.c tests/fuzz/must.h
$O/fuzz/prober_settings: src/prober/settings.c
$O/fuzz/prober_result: src/analyzer/trace.c plugins/traceroute.c plugins/path.h
$O/fuzz/prober_engine: $(wildcard src/prober/*.[ch])
extra_control = src/sensor/rundir.c
$O/fuzz/control: src/sensor/control.c src/sensor/rundir.c
extra_params = src/collector/report.c src/collector/text.c
$O/fuzz/params: $(extra_params)
libs_unpack = -lz $(zstd)
$O/fuzz/unpack: src/collector/gunzip.c src/collector/unzstd.c
extra_explore_filter = src/collector/blocks.c src/collector/field.c src/collector/filter.c src/collector/filtersql.c src/collector/report.c src/collector/text.c
libs_explore_filter = -lsqlite3
$O/fuzz/explore_filter: $(extra_explore_filter)
extra_form = src/collector/access.c src/collector/dbfile.c
libs_form = -lyajl -lsqlite3 -lgnutls
$O/fuzz/form: src/collector/form.c $(extra_form)
$O/fuzz/geo_ranges: src/geo/ranges.c
$O/fuzz/geo_text: src/geo/csv.c src/geo/dns.c src/geo/tidy.c src/geo.h
extra_geo_link = $(filter-out src/collector/intake.c src/collector/live.c src/collector/gunzip.c src/collector/unzstd.c,$(extra_intake))
libs_geo_link = -lyajl -lsqlite3 -lm
$O/fuzz/geo_link: src/collector/geolink.c src/geo.h $(extra_geo_link)
extra_csv = src/collector/report.c src/collector/text.c src/collector/validate.c
libs_csv = -lyajl -lm
$O/fuzz/csv: src/collector/csv.c $(extra_csv)
extra_graph_question = src/collector/answer.c src/collector/cypher.c $(extra_collector_graphdb)
libs_graph_question = -lyajl -lsqlite3 -lm
$O/fuzz/graph_question: src/collector/graphapi.c src/collector/graphdb.c $(extra_graph_question)
