// npm's ngrok package aimed at an address: `node ngrok_client.js FOLDER ADDRESS`, where FOLDER holds
// its node_modules. Prints what its client gives for each call, as one JSON object.
const { createRequire } = require("node:module");
const { NgrokClient } = createRequire(`${process.argv[2]}/`)("ngrok");
const client = new NgrokClient(process.argv[3]);

const refusal = async (calling) => {
  try {
    await calling;
    return null;
  } catch (error) {
    return { name: error.name, message: error.message, status: error.body?.status_code };
  }
};

(async () => {
  const found = {};
  found.tunnels = (await client.listTunnels()).tunnels;
  found.tunnel = await client.tunnelDetail(found.tunnels[0].name);
  found.requests = (await client.listRequests({ limit: 10 })).requests;
  const [{ id }] = found.requests;
  found.detail = await client.requestDetail(id);
  found.replayed = await client.replayRequest(id, "command_line");
  found.noTunnel = await refusal(client.tunnelDetail("nobody"));
  found.noRequest = await refusal(client.replayRequest("nobody", "command_line"));
  found.stopped = await refusal(client.stopTunnel("command_line"));
  found.started = await refusal(client.startTunnel({ addr: 3000, proto: "http", name: "other" }));
  found.deleted = await client.deleteAllRequests();
  found.left = (await client.listRequests()).requests;
  console.log(JSON.stringify(found));
})();
