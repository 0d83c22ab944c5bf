// `web.js serve ADDRESS PORT` answers with what it was sent; `web.js get HOST PORT` checks it 200 times, eight at once.
const http = require("http"), crypto = require("crypto");
const [action, host, port] = process.argv.slice(2);

if (action === "serve") {
    http.createServer((request, response) => request.pipe(response)).listen(port, host, () => console.log("ready"));
} else {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    let right = 0;
    for (let n = 0; n < 200; n++) {
        const body = crypto.randomBytes(n * 997);
        const request = http.request({ host, port, agent, method: "POST" }, (response) => {
            const pieces = [];
            response.on("data", (piece) => pieces.push(piece));
            response.on("end", () => {
                if (Buffer.concat(pieces).equals(body)) right++;
                if (right === 200) { console.log(right); agent.destroy(); }
            });
        });
        request.on("error", (error) => { console.error(error.message); process.exit(1); });
        request.end(body);
    }
}
