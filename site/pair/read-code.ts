/** The part of the browser's own reader that is needed; not every browser has one. */
interface Detector {
  detect(image: ImageBitmapSource): Promise<readonly { readonly rawValue: string }[]>;
}

interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

/** The text of the QR code in a picture, or undefined where none can be read. */
export type CodeReader = (picture: HTMLCanvasElement) => Promise<string | undefined>;

/**
 * The browser's own reader of QR codes, else one that is loaded now.
 * @param isPatient whether a picture may take long: for a photo, not for the frames of a camera
 */
export async function codeReader(isPatient: boolean): Promise<CodeReader> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass };
  const formats = (await BarcodeDetector?.getSupportedFormats().catch(() => [])) ?? [];
  if (BarcodeDetector !== undefined && formats.includes('qr_code')) {
    const detector = new BarcodeDetector({ formats: ['qr_code'] });
    return async (picture) => (await detector.detect(picture))[0]?.rawValue;
  }
  const { default: decodeQR } = await import('qr/decode.js');
  const effort = isPatient ? { effort: Infinity, timeLimit: Infinity } : {};
  return async (picture) => {
    const { width, height } = picture;
    const pixels = picture.getContext('2d', { willReadFrequently: true })!;
    try {
      return decodeQR(pixels.getImageData(0, 0, width, height), effort);
    } catch {
      // It throws where it finds none.
      return undefined;
    }
  };
}

/** A picture as its pixels, no larger than a reader needs. */
export function drawn(
  source: CanvasImageSource,
  width: number,
  height: number,
  canvas: HTMLCanvasElement = document.createElement('canvas'),
): HTMLCanvasElement {
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pixels = canvas.getContext('2d', { willReadFrequently: true })!;
  pixels.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const MAX_SIDE = 1280;
