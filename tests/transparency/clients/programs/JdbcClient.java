// A plain JDBC program: no word of Sallyport. The trust store is Java's own or the one that its environment names.
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;

public class JdbcClient {
  static void failing(Callable<?> doing) throws Exception {
    try {
      doing.call();
      System.out.println("no error");
    } catch (SQLException e) {
      System.out.println(e.getClass().getSimpleName() + " " + e.getSQLState() + " " + e.getMessage().replace('\n', '|'));
    }
  }

  static void rows(ResultSet all) throws SQLException {
    ResultSetMetaData meta = all.getMetaData();
    int count = 0;
    while (all.next()) {
      StringBuilder line = new StringBuilder();
      for (int n = 1; n <= meta.getColumnCount(); n++) {
        Object value = all.getObject(n);
        if (value instanceof byte[]) value = Arrays.toString((byte[]) value);
        line.append(meta.getColumnLabel(n)).append(':').append(meta.getColumnTypeName(n)).append('=').append(value).append(' ');
      }
      if (count++ < 8) System.out.println(line);
    }
    System.out.println(count + " rows");
  }

  public static void main(String[] arguments) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    Map<String, String> env = System.getenv();
    String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
    for (String mode : List.of("extended", "simple", "extendedForPrepared", "extendedCacheEverything")) {
      Properties p = new Properties();
      p.setProperty("user", env.get("PGUSER"));
      p.setProperty("password", env.get("PGPASSWORD"));
      p.setProperty("sslmode", "verify-full");
      p.setProperty("sslfactory", "org.postgresql.ssl.DefaultJavaSSLFactory");
      p.setProperty("preferQueryMode", mode);
      p.setProperty("prepareThreshold", "3");
      p.setProperty("defaultRowFetchSize", "7");
      System.out.println(mode);
      try (Connection c = DriverManager.getConnection(url, p)) {
        talk(c, mode);
      }
    }
  }

  static void talk(Connection c, String mode) throws Exception {
    Statement s = c.createStatement();
    s.execute("CREATE TABLE by_jdbc (id int PRIMARY KEY, v text, n numeric, at timestamptz, ok bool, b bytea, a int[])");
    try (PreparedStatement put = c.prepareStatement("INSERT INTO by_jdbc VALUES (?, ?, ?, ?, ?, ?, ?)")) {
      for (int n = 1; n <= 6; n++) {
        put.setInt(1, n);
        put.setString(2, "text " + n + " é");
        put.setBigDecimal(3, new java.math.BigDecimal("1.50"));
        put.setTimestamp(4, new Timestamp(1704067200000L + n));
        put.setBoolean(5, n % 2 == 0);
        put.setNull(6, Types.BINARY);
        if (!mode.equals("simple")) put.setBytes(6, new byte[] {0, (byte) n});
        put.setArray(7, c.createArrayOf("int4", new Integer[] {n, null}));
        System.out.println(put.executeUpdate());
      }
      for (int n = 10; n < 60; n++) {
        put.setInt(1, n);
        put.setString(2, "batched");
        put.addBatch();
      }
      System.out.println(Arrays.stream(put.executeBatch()).sum());
    }
    // From the third run on it is a named statement, and values come in binary.
    try (PreparedStatement get = c.prepareStatement("SELECT * FROM by_jdbc WHERE id = ?")) {
      for (int n = 1; n <= 6; n++) {
        get.setInt(1, n);
        rows(get.executeQuery());
      }
    }
    c.setAutoCommit(false);
    rows(s.executeQuery("SELECT id, label FROM tree ORDER BY id"));
    try (PreparedStatement all = c.prepareStatement("SELECT id, name, born, height, tags FROM people ORDER BY id")) {
      all.setFetchSize(4);
      rows(all.executeQuery());
      rows(all.executeQuery());
    }
    c.commit();
    failing(() -> s.executeUpdate("INSERT INTO by_jdbc (id) VALUES (1)"));
    failing(() -> s.executeQuery("SELECT 1"));
    c.rollback();
    Savepoint a = c.setSavepoint("a");
    failing(() -> s.executeQuery("SELECT 1 / 0"));
    c.rollback(a);
    s.executeUpdate("DELETE FROM by_jdbc WHERE id = 59");
    c.commit();
    c.setAutoCommit(true);
    failing(() -> s.executeQuery("SELECT missing FROM people"));
    failing(() -> s.executeQuery("SELECT fails_with('AB123')"));
    s.execute("SELECT shout('notice')");
    for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning()) System.out.println(w.getSQLState() + " " + w.getMessage());
    boolean isRows = s.execute("SELECT 1 AS a; UPDATE by_jdbc SET n = 0 WHERE id < 3; SELECT 2 AS b");
    while (isRows || s.getUpdateCount() != -1) {
      if (isRows) rows(s.getResultSet());
      else System.out.println(s.getUpdateCount() + " changed");
      isRows = s.getMoreResults();
    }
    try (PreparedStatement many = c.prepareStatement("UPDATE by_jdbc SET v = ? WHERE id = ?", Statement.RETURN_GENERATED_KEYS)) {
      many.setString(1, "x");
      many.setInt(2, 1);
      many.executeUpdate();
      rows(many.getGeneratedKeys());
    }
    if (!mode.equals("simple")) try (CallableStatement call = c.prepareCall("{? = call add_one(?)}")) {
      call.registerOutParameter(1, Types.INTEGER);
      call.setInt(2, 41);
      call.execute();
      System.out.println(call.getInt(1));
    }
    PGConnection pg = c.unwrap(PGConnection.class);
    if (!mode.equals("simple")) {
      System.out.println(pg.getCopyAPI().copyIn("COPY by_jdbc (id, v) FROM STDIN", new StringReader("100\tcopied\n101\tcopied\n")));
    }
    StringWriter out = new StringWriter();
    pg.getCopyAPI().copyOut("COPY (SELECT id, v FROM by_jdbc WHERE id > 57 ORDER BY id) TO STDOUT CSV", out);
    System.out.println(out);
    s.execute("LISTEN news; NOTIFY news, 'payload'");
    for (org.postgresql.PGNotification n : pg.getNotifications()) {
      System.out.println(n.getName() + " " + n.getParameter() + " " + (n.getPID() == pg.getBackendPID()));
    }
    s.setQueryTimeout(1);
    failing(() -> s.executeQuery("SELECT pg_sleep(30)"));
    s.setQueryTimeout(0);
    DatabaseMetaData meta = c.getMetaData();
    System.out.println(meta.getDatabaseProductVersion() + " " + pg.getParameterStatus("TimeZone"));
    rows(meta.getColumns(null, "public", "people", null));
    rows(meta.getTables(null, "public", "%", new String[] {"TABLE"}));
    rows(meta.getImportedKeys(null, "public", "orders"));
    try (ResultSet editable = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE).executeQuery("SELECT id, v FROM by_jdbc WHERE id = 1")) {
      editable.next();
      editable.updateString("v", "edited");
      editable.updateRow();
      System.out.println(editable.getString("v"));
    }
    ResultSet long_ = s.executeQuery("SELECT repeat('x', 3000000)");
    long_.next();
    System.out.println(long_.getString(1).length());
    s.execute("DROP TABLE by_jdbc");
  }
}
