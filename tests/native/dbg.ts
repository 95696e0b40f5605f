import { Stand } from "./kit.ts";
const after: (()=>any)[] = [];
const stand = new Stand({ after: (b: any) => void after.push(b) } as any);
console.log(await stand.agentRuns(`
step(lambda: socket.socket(socket.AF_UNIX).connect("/tmp/nothing"))`));
await new Promise(r=>setTimeout(r,200));
console.log(stand.events);
stand.interceptor.observe(stand.agent, 1n<<62n);
console.log(await stand.agentRuns(`
def ping():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) as s:
        s.settimeout(1)
        s.sendto(b"\\x08\\x00\\xe5\\xfe\\x12\\x00\\x00\\x01", ("127.0.0.1", 0)); return len(s.recv(100)) > 0
step(ping)`));
await new Promise(r=>setTimeout(r,200));
console.log(stand.events.slice(1));
for (const b of after) await b();
process.exit(0);
