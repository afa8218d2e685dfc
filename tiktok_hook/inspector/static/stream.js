// Live events. Browsers allow six connections to one host, so one page at a time holds the stream
// and tells the others.

const channel = new BroadcastChannel("tiktok-hook");

export function follow(handlers) {
  const handle = ({ name, data }) => handlers[name]?.(data);
  channel.onmessage = (event) => handle(event.data);
  const tell = (name, data) => { handle({ name, data }); channel.postMessage({ name, data }); };
  const hold = () => new Promise(() => {
    const source = new EventSource("/api/v1/stream");
    for (const name of ["delivery", "attempt", "tunnel", "app", "reset"]) {
      source.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
    }
    source.onopen = () => tell("open", {});
    source.onerror = () => tell("lost", {});
  });
  if (navigator.locks) navigator.locks.request("tiktok-hook-stream", hold);
  else hold();
}
