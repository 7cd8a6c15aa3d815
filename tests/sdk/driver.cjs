// A merchant's program on Juspay's own library: only host and keys are ours. Prints one JSON object.
const fs = require('fs')
const { Juspay, APIError, AuthenticationError, InvalidRequestError } = require('expresscheckout-nodejs')

const { SANDBOX_HOST: baseUrl, SANDBOX_KEYS: keys } = process.env
const merchantId = 'sandboxmart'
const logger = { info () {}, error () {}, warn () {}, debug () {} }
Juspay.customLogger = logger

const plain = new Juspay({ baseUrl, merchantId, apiKey: 'sandbox-key' })
const stranger = new Juspay({ baseUrl, merchantId, apiKey: 'wrong-key' })
const sealed = new Juspay({
  baseUrl,
  merchantId,
  jweAuth: {
    keyId: 'sandbox-kid',
    privateKey: fs.readFileSync(`${keys}/merchant_private.pem`, 'utf8'),
    publicKey: fs.readFileSync(`${keys}/juspay_public.pem`, 'utf8')
  }
})

async function refusal (call) {
  try {
    await call()
    return { refused: false }
  } catch (error) {
    return {
      refused: true,
      name: error.name,
      api: error instanceof APIError,
      authentication: error instanceof AuthenticationError,
      request: error instanceof InvalidRequestError,
      code: error.error_code,
      info: error.error_info && error.error_info.code
    }
  }
}

const seen = ({ http, ...body }) => body

async function main () {
  const order = { order_id: 'SDK1', amount: 249.5, currency: 'INR', customer_id: 'cth_7', udf1: 'blue' }
  const told = {
    created: seen(await plain.order.create(order)),
    plain: seen(await plain.order.status('SDK1')),
    sealed: seen(await sealed.order.status('sdk1')),
    full: seen(await sealed.order.status('SDK0', { 'options.add_full_gateway_response': true })),
    session: seen(await sealed.orderSession.create({ order_id: 'SDK2', amount: 10, action: 'paymentPage' })),
    refund: seen(await plain.order.refund('SDK0', { unique_request_id: 'R1', amount: 100.25 })),
    sealedRefund: seen(await sealed.order.refund('SDK0', { unique_request_id: 'R2', amount: 1 })),
    wrongKey: await refusal(() => stranger.order.status('SDK1')),
    unknown: await refusal(() => plain.order.status('NOBODY')),
    unknownSealed: await refusal(() => sealed.order.status('NOBODY')),
    unpaid: await refusal(() => plain.order.refund('SDK1', { unique_request_id: 'R1', amount: 1 }))
  }
  process.stdout.write(JSON.stringify(told) + '\n', () => process.exit(0))
}

main().catch(error => { console.error(error); process.exit(1) })
