import { connect } from 'node:net';

/** Prints `connected`, or the code of the failure: run within a network to see whom it reaches. */
const [, , host = '', port = ''] = process.argv;
const socket = connect({ host, port: Number(port), timeout: 3_000 });
const say = (text: string): void => {
  process.stdout.write(text);
  socket.destroy();
};
socket.once('connect', () => say('connected'));
socket.once('timeout', () => say('ETIMEDOUT'));
socket.once('error', (error: NodeJS.ErrnoException) => say(error.code ?? error.message));
