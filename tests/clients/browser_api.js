// Performs tasks through the WebSocket of browsers, which other programs offer too. See tests/compatibility/tasks.py.

const atOnce = 8;

function perform(task, make) {
  const began = Date.now();
  const outcome = { number: task.number, opened: false, messages: [], status: null, close_code: null, reason: null };
  Object.assign(outcome, { clean: null, seconds: 0, unfinished: false });
  return new Promise((resolve) => {
    let isOver = false;
    const finish = () => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      outcome.seconds = (Date.now() - began) / 1000;
      resolve(outcome);
    };
    const timer = setTimeout(() => { outcome.unfinished = true; finish(); }, task.limit * 1000);
    let socket;
    try { socket = make(task.url); } catch { return finish(); }
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
      for (const message of task.messages) socket.send(message);
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
    // Browsers say no more than that there was an error; `ws` names the status.
    socket.onerror = ({ message }) => {
      const status = /Unexpected server response: (\d+)/.exec(message ?? "");
      if (status) outcome.status = Number(status[1]);
    };
    socket.onclose = ({ code, reason, wasClean }) => {
      if (isOver) return;
      Object.assign(outcome, { close_code: code, reason, clean: wasClean });
      finish();
    };
  });
}

export async function performAll(tasks, make, report) {
  const rest = [...tasks];
  const work = async () => {
    for (let task = rest.shift(); task; task = rest.shift()) report(await perform(task, make));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
