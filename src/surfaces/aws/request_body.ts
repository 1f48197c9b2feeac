import type { IncomingMessage } from 'node:http';
import { LIMITS } from '../../limits.js';

/** Why a body was not taken: it is too long itself, or there is no room for it beside the others. */
export type BodyRefusal = 'too-long' | 'no-room';

/** Reads the bodies of requests, each of them and all together within bounds. */
export class BodyReader {
  /** Octets of bodies that are longer than {@link LIMITS.awsSmallBodyBytesMax}, and of requests that are not over. */
  #octets = 0;

  /**
   * Reads one body.
   *
   * @param take - called once, as soon as the body is there or refused; never where the caller goes away before
   */
  read(request: IncomingMessage, take: (body: Uint8Array | BodyRefusal) => void): void {
    let only: Buffer | null = null;
    let chunks: Buffer[] | null = null;
    let octets = 0;
    let counted = 0;
    let isOver = false;
    const refuse = (refusal: BodyRefusal): void => {
      isOver = true;
      only = null;
      chunks = null;
      take(refusal);
    };
    request.on('data', (chunk: Buffer) => {
      if (isOver) return;
      octets += chunk.length;
      if (octets > LIMITS.awsBodyBytesMax) return refuse('too-long');
      if (octets > LIMITS.awsSmallBodyBytesMax) {
        if (counted === 0) request.once('close', () => (this.#octets -= counted));
        this.#octets += octets - counted;
        counted = octets;
        if (this.#octets > LIMITS.awsBodiesBytesMax) return refuse('no-room');
      }
      if (only === null) only = chunk;
      else (chunks ??= [only]).push(chunk);
    });
    // A caller that goes away in the middle of its request has nobody to be answered.
    request.on('error', ignore);
    request.on('end', () => {
      if (!isOver) take(chunks === null ? (only ?? EMPTY) : Buffer.concat(chunks));
    });
  }
}

const EMPTY = new Uint8Array();

function ignore(): void {
  // Nobody is left to hear of it.
}
