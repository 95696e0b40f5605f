<?php
// A plain PDO program, and one of the pgsql extension: no word of Sallyport.
function say(...$words) { echo implode(" ", array_map(fn($w) => is_string($w) ? $w : json_encode($w), $words)), "\n"; }
function failing($do) {
    try { $do(); say("no error"); }
    catch (PDOException $e) { say($e->getCode(), $e->errorInfo[0] ?? "", $e->getMessage()); }
}
$dsn = sprintf("pgsql:host=%s;port=%s;dbname=%s;sslmode=verify-full;sslrootcert=%s", getenv("PGHOST"), getenv("PGPORT"), getenv("PGDATABASE"), getenv("PGSSLROOTCERT"));
foreach ([false, true] as $emulated) {
    $db = new PDO($dsn, getenv("PGUSER"), getenv("PGPASSWORD"), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $emulated]);
    say($db->getAttribute(PDO::ATTR_SERVER_VERSION));
    $db->exec("CREATE TABLE by_php (id serial PRIMARY KEY, v text, n numeric, ok bool, b bytea)");
    $insert = $db->prepare("INSERT INTO by_php (v, n, ok) VALUES (:v, :n, :ok) RETURNING id, v");
    foreach ([["a", 1.5, true], ["é ''", null, false], ["", "2.50", true]] as [$v, $n, $ok]) {
        $insert->bindValue("v", $v); $insert->bindValue("n", $n); $insert->bindValue("ok", $ok, PDO::PARAM_BOOL);
        $insert->execute(); say($insert->fetch(PDO::FETCH_ASSOC));
    }
    say($db->lastInsertId("by_php_id_seq"));
    $select = $db->prepare("SELECT * FROM by_php WHERE id > ? ORDER BY id");
    foreach ([0, 1, 99] as $id) { $select->execute([$id]); say($select->fetchAll(PDO::FETCH_NUM), $select->rowCount()); }
    $blob = $db->prepare("UPDATE by_php SET b = ? WHERE id = 1");
    $blob->bindValue(1, "\x00\x01\xff", PDO::PARAM_LOB); $blob->execute();
    say(bin2hex(stream_get_contents($db->query("SELECT b FROM by_php WHERE id = 1")->fetchColumn())));
    failing(fn() => $db->query("SELECT 1 / 0"));
    failing(fn() => $db->query("INSERT INTO by_php (id) VALUES (1)"));
    failing(fn() => $db->query("SELECT missing FROM people"));
    $db->beginTransaction(); $db->exec("DELETE FROM by_php"); failing(fn() => $db->query("SELECT 'x'::int")); failing(fn() => $db->query("SELECT 1")); $db->rollBack();
    say($db->query("SELECT count(*) FROM by_php")->fetchColumn());
    $scroll = $db->prepare("SELECT id FROM tree ORDER BY id", [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $db->beginTransaction(); $scroll->execute();
    say($scroll->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST), $scroll->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR), $scroll->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 5));
    $scroll->closeCursor(); $db->commit();
    $db->pgsqlCopyFromArray("by_php", ["100\tcopied\t\\N\tt\t\\N", "101\tcopied too\t7\tf\t\\N"]);
    say($db->pgsqlCopyToArray("by_php"));
    $db->exec("LISTEN news"); $db->exec("NOTIFY news, 'payload'");
    $heard = $db->pgsqlGetNotify(PDO::FETCH_ASSOC, 5000);
    say($heard["message"], $heard["payload"], $heard["pid"] === $db->pgsqlGetPid());
    say(strlen($db->query("SELECT repeat('x', 3000000)")->fetchColumn()));
    $db->exec("DROP TABLE by_php");
    $db = null;
}
$c = pg_connect("host=" . getenv("PGHOST") . " sslmode=verify-full");
say(pg_fetch_all(pg_query_params($c, "SELECT \$1::int + 1 AS n, \$2::text AS t", [1, "x"])));
pg_prepare($c, "kept", "SELECT id, name FROM people WHERE id = \$1");
say(pg_fetch_row(pg_execute($c, "kept", [3])), pg_fetch_row(pg_execute($c, "kept", [4])));
pg_send_query($c, "SELECT 1 AS a; SELECT 2 AS b; SELECT 1 / 0");
while ($r = pg_get_result($c)) say(pg_result_status($r), pg_result_error_field($r, PGSQL_DIAG_SQLSTATE) ?? "", pg_fetch_all($r));
pg_copy_from($c, "watched", ["5\tphp\n"]); say(pg_copy_to($c, "watched")); pg_query($c, "DELETE FROM watched");
say(pg_meta_data($c, "tree"), pg_parameter_status($c, "DateStyle"), pg_version($c)["server"]);
say(pg_insert($c, "tree", ["id" => 900, "label" => "by pg_insert"]) !== false, pg_delete($c, "tree", ["id" => 900]));
