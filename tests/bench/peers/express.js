// What a guide would have somebody write first: take JSON, print what came, say 200. Keeps nothing.
const express = require("express");

const app = express();
app.use(express.json());

app.post("/webhook", (request, response) => {
  console.log(request.headers);
  console.log(request.body);
  response.status(200).send("OK");
});

app.listen(Number(process.argv[2]), "127.0.0.1");
