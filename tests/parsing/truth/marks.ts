/** What shows that a statement got at the server's files. */

/** Content of a file of the server, and part of the name of another one. It stands in no statement. */
export const MARK = "only-the-server-has-it";
/** Name of the file with that content, in FOLDER and in the data folder. */
export const MARKED_FILE = "marked-file";
/** In statements: a folder where the server may write. */
export const FOLDER = "/server/folder";
