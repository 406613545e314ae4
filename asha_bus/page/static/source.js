// @ts-check
// The source of the run: the page itself, or server-sent events.

const AGAIN_MS = 1000;

/** Call the handlers in `on`: run, trials, summary, end, lost, found. */
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
    stream.close(); // the browser itself comes again after a while, but not to one that refused
    on.lost();
    setTimeout(() => listen(on), AGAIN_MS);
  };
}
