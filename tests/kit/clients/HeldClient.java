import java.net.URI;
import java.sql.*;

/** A plain JDBC program that runs one statement and prints how many rows it changed. */
public class HeldClient {
  public static void main(String[] words) throws Exception {
    URI url = URI.create(words[0]);
    String[] login = url.getUserInfo().split(":");
    String address = "jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath();
    try (Connection connection = DriverManager.getConnection(address, login[0], login[1]);
        PreparedStatement statement = connection.prepareStatement(words[1])) {
      System.out.println(statement.executeUpdate());
    }
  }
}
