// Performs tasks through the WebSocket of browsers, which other programs offer too. See tests/compatibility/tasks.py.

const atOnce = 8;
// Milliseconds between repetitions of messages.
const between = 1000;

function perform(task, make) {
  const began = Date.now();
  const outcome = { number: task.number, opened: false, messages: [], status: null, close_code: null, reason: null };
  Object.assign(outcome, { body: null, headers: null, clean: null, seconds: 0, unfinished: false });
  return new Promise((resolve) => {
    let isOver = false;
    const finish = () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      clearInterval(repeating);
      outcome.seconds = (Date.now() - began) / 1000;
      resolve(outcome);
    };
    const timer = setTimeout(() => { outcome.unfinished = true; finish(); }, task.limit * 1000);
    let socket, repeating;
    try { socket = make(task, outcome); } catch { return finish(); }
    socket.binaryType = "arraybuffer";
    const goOn = () => {
      if (isOver || outcome.messages.length !== task.reads) return;
      if (task.closes) return socket.close(1000);
      finish();
      socket.close();
    };
    socket.onopen = () => {
      outcome.opened = true;
      outcome.status = 101;
      if (task.pings) socket.ping();
      const send = () => task.messages.forEach((message) => socket.send(message));
      send();
      if (task.repeats) repeating = setInterval(send, between);
      goOn();
    };
    socket.onmessage = ({ data }) => {
      if (isOver) return;
      const bytes = typeof data === "string" ? [] : [...new Uint8Array(data)];
      const hexadecimal = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
      outcome.messages.push(typeof data === "string" ? data : `hex:${hexadecimal}`);
      if (task.echoes) socket.send(data);
      goOn();
    };
    // What there is to say of an error, `onclose` says.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason, wasClean }) => {
      if (isOver) return;
      Object.assign(outcome, { close_code: code, reason, clean: wasClean });
      finish();
    };
  });
}

// Performs the tasks. `make` returns a WebSocket for one, and may add to its outcome what only its own API tells.
export async function performAll(tasks, make, report) {
  const rest = [...tasks];
  const work = async () => {
    for (let task = rest.shift(); task; task = rest.shift()) report(await perform(task, make));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
