/** The database in which the statements of this repository's own tests run: the tables that they name. */
export const PEOPLE_DDL = `
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, card text NOT NULL, ssn text NOT NULL UNIQUE);
INSERT INTO customers SELECT n, 'Name ' || n, 'n' || n || '@example.com', '411111111111111' || n, '123-45-678' || n FROM generate_series(1, 4) n;
CREATE TABLE customers_2024 (id int, ssn text, card text);
CREATE VIEW contacts AS SELECT * FROM customers;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total int, note text);
INSERT INTO orders SELECT n, n, n * 10, 'note ' || n FROM generate_series(1, 100) n;
CREATE TABLE staging (id int, name text, email text, card text, ssn text);
CREATE TABLE people (id int, ssn text, name text);
CREATE SCHEMA plain; CREATE SCHEMA s; CREATE SCHEMA hr; CREATE SCHEMA sales; CREATE SCHEMA a; CREATE SCHEMA x;
CREATE TABLE hr.customers (id int, ssn text);
CREATE TABLE sales.customers (id int, card text);
CREATE TABLE s.t (a int, b int, id int);
CREATE TABLE a.t (a int, b int, id int);
CREATE TABLE plain.t (a int, b int, c int, d date, e text, id int PRIMARY KEY, x int, name text);
INSERT INTO plain.t SELECT n, n, n, date '2026-01-01' + n, 'e' || n, n, n, 'name ' || n FROM generate_series(1, 4) n;
CREATE TABLE plain.u (a int, b int, c int, id int PRIMARY KEY, x int);
INSERT INTO plain.u SELECT n, n, n, n, n FROM generate_series(1, 4) n;
CREATE TABLE plain.c (a int, id int); CREATE TABLE plain.d (a int, id int); CREATE TABLE plain.e (a int, id int);
CREATE FUNCTION my_function(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION plain.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION s.plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';
CREATE OPERATOR s.+ (leftarg = int, rightarg = int, function = s.plus);
CREATE SEQUENCE seq;
`;
