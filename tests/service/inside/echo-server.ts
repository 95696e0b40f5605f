/** A backend that says back what it hears, for connections of the opaque protocol. Prints its port, ends with its stdin. */
import { type AddressInfo, createServer } from "node:net";

const [, , host = "127.0.0.1", port = "0"] = process.argv;
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.pipe(socket);
});
server.listen(Number(port), host, () => console.log((server.address() as AddressInfo).port));
process.stdin.resume().on("end", () => process.exit(0));
