import { useState } from 'preact/hooks';

/** Something that a page does when it is told to: whether it is doing it, and why the last try failed. */
export interface Attempt {
  /** Stays so after a success: the page goes on to something else. */
  readonly isBusy: boolean;
  /** Undefined where nothing failed. */
  readonly failure: unknown;
  readonly attempt: (work: () => Promise<void>) => void;
}

/** Lets a page try something, and try it again where it failed. */
export function useAttempt(): Attempt {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(undefined);
  const run = async (work: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setFailure(undefined);
    try {
      await work();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  };
  return { isBusy, failure, attempt: (work) => void run(work) };
}
