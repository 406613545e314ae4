// Where the run comes from: the page itself, or server-sent events of the server it came from.

const AGAIN_MS = 3000; // after the server refused, which the browser takes as final

/** Tell `on` of the run: run, trials, summary, end, lost, found. */
function openSource(on) {
  const held = JSON.parse(byId("run-data").textContent);
  if (held !== null) on.run(held);
  else listen(on);
}

function listen(on) {
  const stream = new EventSource("events");
  const take = (name, tell) => stream.addEventListener(name, (event) => tell(JSON.parse(event.data)));
  stream.onopen = () => on.found();
  take("run", on.run);
  take("trials", on.trials);
  take("summary", on.summary);
  take("end", (summary) => {
    stream.close();
    on.end(summary);
  });
  stream.onerror = () => {
    on.lost();
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => listen(on), AGAIN_MS);
  };
}
