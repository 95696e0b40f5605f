# A plain program of ruby-pg: no word of Sallyport.
require "pg"

def failing
  yield
  puts "no error"
rescue PG::Error => e
  r = e.result
  puts [e.class, r && r.error_field(PG::PG_DIAG_SQLSTATE), r && r.error_field(PG::PG_DIAG_MESSAGE_PRIMARY), r && r.error_field(PG::PG_DIAG_MESSAGE_DETAIL)].inspect
end

db = PG.connect(sslmode: "verify-full")
db.set_notice_processor { |text| puts "notice #{text}" }
db.exec("CREATE TABLE by_ruby (id int PRIMARY KEY, v text, n numeric, at timestamp, a int[])")
db.prepare("put", "INSERT INTO by_ruby VALUES ($1, $2, $3, $4, $5) RETURNING *")
(1..4).each { |n| puts db.exec_prepared("put", [n, "text #{n} é", "#{n}.50", "2024-01-0#{n} 12:00", "{#{n},NULL}"]).to_a.inspect }
db.type_map_for_results = PG::BasicTypeMapForResults.new(db)
db.type_map_for_queries = PG::BasicTypeMapForQueries.new(db)
puts db.exec_params("SELECT $1 + 1 AS n, $2 AS t, $3 AS f, $4 AS b, $5::int[] AS a", [41, "x", 1.5, true, [1, 2]]).to_a.inspect
puts db.exec_params("SELECT id, n, at, a FROM by_ruby ORDER BY id", [], 0).to_a.inspect
puts db.exec_params("SELECT id, v FROM by_ruby ORDER BY id", [], 1).to_a.inspect
puts db.describe_prepared("put").then { |r| [r.nparams, r.nfields, r.fields] }.inspect
failing { db.exec("SELECT 1 / 0") }
failing { db.exec_params("INSERT INTO by_ruby (id) VALUES ($1)", [1]) }
failing { db.exec("SELECT missing FROM people") }
failing { db.transaction { |c| c.exec("DELETE FROM by_ruby"); c.exec("SELECT 'x'::int") } }
puts db.exec("SELECT count(*) FROM by_ruby").getvalue(0, 0)
db.send_query("SELECT 1 AS a; SELECT 2 AS b; SELECT 3 AS c")
while (r = db.get_result) do puts r.to_a.inspect end
db.send_query("SELECT id, label FROM tree ORDER BY id")
db.set_single_row_mode
puts db.get_result.stream_each_row.map { |row| row }.inspect
while db.get_result do end
db.enter_pipeline_mode
10.times { |n| db.send_query_params("SELECT $1::int * 2", [n]) }
db.send_query_params("SELECT 1 / 0", [])
db.send_query_params("SELECT 'skipped'", [])
db.pipeline_sync
loop do
  r = db.get_result
  next if r.nil?
  puts [r.result_status, r.ntuples > 0 ? r.getvalue(0, 0) : nil, r.error_field(PG::PG_DIAG_SQLSTATE)].inspect
  break if r.result_status == PG::PGRES_PIPELINE_SYNC
end
db.exit_pipeline_mode
puts db.copy_data("COPY by_ruby (id, v) FROM STDIN") { 20.times { |n| db.put_copy_data("#{100 + n}\tcopied\n") } }.cmd_tuples
db.copy_data("COPY (SELECT id, v FROM by_ruby WHERE id < 104 ORDER BY id) TO STDOUT CSV") { while (row = db.get_copy_data) do print row end }
failing { db.copy_data("COPY by_ruby (id) FROM STDIN") { db.put_copy_data("no number\n") } }
db.exec("SELECT shout('notice')")
db.exec("LISTEN news")
db.exec("NOTIFY news, 'payload'")
db.wait_for_notify(5) { |channel, pid, payload| puts [channel, payload, pid == db.backend_pid].inspect }
db.send_query("SELECT pg_sleep(30)")
sleep 0.4
puts db.cancel.inspect
failing { db.get_last_result }
puts [db.server_version, db.parameter_status("TimeZone"), db.transaction_status, db.ssl_in_use?].inspect
puts db.exec("SELECT repeat('x', 3000000)").getvalue(0, 0).length
db.exec("DROP TABLE by_ruby")
db.finish
