// A plain program of lib/pq: no word of Sallyport.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/lib/pq"
)

func failing(err error) {
	if e, ok := err.(*pq.Error); ok {
		fmt.Println(e.Severity, e.Code, e.Message, e.Detail, e.Hint, e.Position, e.Constraint, e.Routine)
	} else {
		fmt.Println("error:", err)
	}
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(3)
	}
}

func rows(all *sql.Rows, err error) {
	must(err)
	defer all.Close()
	names, _ := all.Columns()
	types, _ := all.ColumnTypes()
	for n, name := range names {
		fmt.Print(name, ":", types[n].DatabaseTypeName(), " ")
	}
	fmt.Println()
	for all.Next() {
		values := make([]interface{}, len(names))
		places := make([]interface{}, len(names))
		for n := range values {
			places[n] = &values[n]
		}
		must(all.Scan(places...))
		for _, value := range values {
			if bytes, ok := value.([]byte); ok {
				fmt.Printf("%q ", string(bytes))
			} else {
				fmt.Printf("%v ", value)
			}
		}
		fmt.Println()
	}
	fmt.Println(all.Err())
}

func main() {
	for _, binary := range []string{"no", "yes"} {
		db, err := sql.Open("postgres", "sslmode=verify-full binary_parameters="+binary)
		must(err)
		db.SetMaxOpenConns(4)
		_, err = db.Exec("CREATE TABLE by_go (id int PRIMARY KEY, v text, n numeric, at timestamptz, ok bool, b bytea, a int[])")
		must(err)
		put, err := db.Prepare("INSERT INTO by_go VALUES ($1, $2, $3, $4, $5, $6, $7)")
		must(err)
		for n := 1; n <= 4; n++ {
			at := time.Date(2024, 1, n, 12, 0, 0, 0, time.UTC)
			result, err := put.Exec(n, fmt.Sprintf("text %d é", n), "1.50", at, n%2 == 0, []byte{0, 255}, pq.Array([]int{n, 7}))
			must(err)
			count, _ := result.RowsAffected()
			fmt.Println(count)
		}
		put.Close()
		rows(db.Query("SELECT * FROM by_go ORDER BY id"))
		rows(db.Query("SELECT v, $1::int + 1 AS n, $2::text FROM by_go WHERE id = $3", 41, "x", 2))
		rows(db.Query("SELECT NULL, 1.5::float8, 1::int8, true, interval '1 day', '{\"a\": 1}'::jsonb, date '2024-02-29'"))
		multi, err := db.Query("SELECT 1 AS a; SELECT 2 AS b, 3 AS c")
		must(err)
		for more := true; more; more = multi.NextResultSet() {
			names, _ := multi.Columns()
			for multi.Next() {
			}
			fmt.Println(names)
		}
		multi.Close()
		_, err = db.Exec("SELECT 1 / 0")
		failing(err)
		_, err = db.Exec("INSERT INTO by_go (id) VALUES ($1)", 1)
		failing(err)
		_, err = db.Query("SELECT missing FROM people WHERE id = $1", 1)
		failing(err)
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable})
		must(err)
		tx.Exec("DELETE FROM by_go")
		_, err = tx.Exec("SELECT 'x'::int")
		failing(err)
		_, err = tx.Exec("SELECT 1")
		failing(err)
		must(tx.Rollback())
		tx, err = db.Begin()
		must(err)
		copying, err := tx.Prepare(pq.CopyIn("by_go", "id", "v"))
		must(err)
		for n := 1000; n < 3000; n++ {
			_, err = copying.Exec(n, "copied")
			must(err)
		}
		_, err = copying.Exec()
		must(err)
		must(copying.Close())
		must(tx.Commit())
		rows(db.Query("SELECT count(*), max(id) FROM by_go"))
		slow, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
		_, err = db.ExecContext(slow, "SELECT pg_sleep(30)")
		failing(err)
		cancel()
		listener := pq.NewListener("sslmode=verify-full", time.Second, time.Minute, nil)
		must(listener.Listen("news"))
		_, err = db.Exec("SELECT pg_notify('news', 'payload')")
		must(err)
		heard := <-listener.Notify
		fmt.Println(heard.Channel, heard.Extra)
		listener.Close()
		done := make(chan string, 40)
		for n := 0; n < 40; n++ {
			go func(n int) {
				var twice int
				err := db.QueryRow("SELECT $1::int * 2", n).Scan(&twice)
				done <- fmt.Sprint(twice == n*2, err)
			}(n)
		}
		for n := 0; n < 40; n++ {
			fmt.Print(<-done, " ")
		}
		var long string
		must(db.QueryRow("SELECT repeat('x', 3000000)").Scan(&long))
		fmt.Println(len(long))
		_, err = db.Exec("DROP TABLE by_go")
		must(err)
		db.Close()
	}
}
