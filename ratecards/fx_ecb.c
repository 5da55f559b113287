/* The European Central Bank's reference rates: eurofxref-daily.xml, -hist-90d.xml and -hist.xml.
 *
 * Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates:
 * a gesmes:Envelope with a Cube that holds a Cube per day (time=) that holds a Cube per currency
 * (currency=, rate=); 1 EUR = rate. The daily file quotes attributes with ', the historical ones
 * with ". Nothing is fetched and no entity is expanded: NONET, no NOENT, and a DOCTYPE is refused.
 */
#include "ratecards/model.h"

#include <assert.h>
#include <libxml/xmlreader.h>
#include <limits.h>
#include <stdlib.h>

#define ECB_NAMESPACE "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"
#define ECB_RATES_MAX 10000000
#define ECB_DEPTH_MAX 16

struct ecb {
    struct reader *reader;
    xmlTextReaderPtr xml;
    struct document *document;
    struct slice text;
    uint32_t capacity;
    bool day_given;
    int32_t day;
    bool failed; /* the parser reported a syntax error */
};

static uint32_t ecb_line(const struct ecb *ecb)
{
    /* A node's own line is exact but ends at 65,535; after that the parser's position, which can be
     * a little ahead, has to do. */
    xmlNodePtr node = xmlTextReaderCurrentNode(ecb->xml);
    long line = node ? xmlGetLineNo(node) : 0;
    if (line <= 0 || line >= USHRT_MAX)
        line = xmlTextReaderGetParserLineNumber(ecb->xml);
    return line > 0 ? (uint32_t)line : 1;
}

static void ecb_problem(struct ecb *ecb, const char *text, const char *value)
{
    problems_add(ecb->reader->problems, ecb->reader->file, ecb_line(ecb), 1, "%s%s%s%s", text,
                 value ? ": `" : "", value ? value : "", value ? "`" : "");
}

/* libxml2 2.12 made the error const; the cast at its use keeps one body for both. */
static void ecb_syntax(void *context, xmlErrorPtr error)
{
    struct ecb *ecb = context;
    if (ecb->failed)
        return;
    ecb->failed = true;
    struct slice message =
        slice_trim(slice_string(error && error->message ? error->message : "not readable"));
    problems_add(ecb->reader->problems, ecb->reader->file,
                 error && error->line > 0 ? (uint32_t)error->line : 1,
                 error && error->int2 > 0 ? (uint32_t)error->int2 : 1, "not readable as XML: %.*s",
                 (int)message.length, message.data);
}

static void ecb_add(struct ecb *ecb, struct currency quote, int128 rate_pico)
{
    struct document *document = ecb->document;
    if (document->count == ecb->capacity) {
        uint32_t capacity = ecb->capacity ? ecb->capacity * 2 : 64;
        struct fx_item *rates = arena_alloc(ecb->reader->arena, (size_t)capacity * sizeof *rates);
        if (document->count)
            memcpy(rates, document->rates, document->count * sizeof *rates);
        document->rates = rates;
        ecb->capacity = capacity;
    }
    struct currency euro;
    enum status status = currency_parse(SLICE("EUR"), &euro);
    assert(status == STATUS_OK);
    document->rates[document->count++] = (struct fx_item){.base = euro,
                                                          .quote = quote,
                                                          .day = ecb->day,
                                                          .rate_pico = rate_pico,
                                                          .source = SLICE("ECB"),
                                                          .line = ecb_line(ecb),
                                                          .column = 1};
}

static bool is_code(const char *text)
{
    for (int i = 0; i < 3; i++) {
        if (text[i] < 'A' || text[i] > 'Z')
            return false;
    }
    return text[3] == '\0';
}

static void ecb_rate(struct ecb *ecb, const char *code, const char *rate)
{
    struct currency quote;
    int128 rate_pico;
    if (!ecb->day_given) {
        ecb_problem(ecb, "a rate outside a day: the Cube around it has no readable time", code);
    } else if (!is_code(code)) {
        ecb_problem(ecb, "not a currency code", code);
    } else if (currency_parse(slice_string(code), &quote) != STATUS_OK) {
        return; /* history: a currency that is gone (HRK, LTL) can be on no bill */
    } else if (!decimal_is_plain(slice_string(rate)) ||
               decimal_parse(slice_string(rate), MONEY_SCALE, false, &rate_pico, NULL) !=
                   STATUS_OK ||
               rate_pico <= 0) {
        ecb_problem(ecb, "not a rate", rate);
    } else {
        ecb_add(ecb, quote, rate_pico);
    }
}

static char *ecb_attribute(const struct ecb *ecb, const char *name)
{
    return (char *)xmlTextReaderGetAttribute(ecb->xml, (const xmlChar *)name);
}

static void ecb_cube(struct ecb *ecb)
{
    char *time = ecb_attribute(ecb, "time");
    char *code = ecb_attribute(ecb, "currency");
    char *rate = ecb_attribute(ecb, "rate");
    if (time) {
        ecb->day_given = day_parse(slice_string(time), &ecb->day);
        if (!ecb->day_given)
            ecb_problem(ecb, "not a date", time);
    }
    if (code && rate)
        ecb_rate(ecb, code, rate);
    else if (code || rate)
        ecb_problem(ecb, "a Cube with a currency needs a rate, and the other way round",
                    code ? code : rate);
    xmlFree(time);
    xmlFree(code);
    xmlFree(rate);
}

/* The parser has read on by the time it hands out a DOCTYPE. */
static void doctype_problem(struct ecb *ecb)
{
    const char *at = memmem(ecb->text.data, ecb->text.length, "<!DOCTYPE", 9);
    uint32_t line = 1;
    for (const char *c = ecb->text.data; at && c < at; c++)
        line += *c == '\n';
    problems_add(ecb->reader->problems, ecb->reader->file, line, 1,
                 "a DOCTYPE is not taken: the ECB's files have none");
}

/* False to stop. */
static bool ecb_node(struct ecb *ecb)
{
    int type = xmlTextReaderNodeType(ecb->xml);
    if (type == XML_READER_TYPE_DOCUMENT_TYPE) {
        doctype_problem(ecb);
        return false;
    }
    if (type != XML_READER_TYPE_ELEMENT)
        return true;
    const char *name = (const char *)xmlTextReaderConstLocalName(ecb->xml);
    const char *space = (const char *)xmlTextReaderConstNamespaceUri(ecb->xml);
    int depth = xmlTextReaderDepth(ecb->xml);
    if (depth == 0 && (!name || strcmp(name, "Envelope") != 0)) {
        ecb_problem(ecb, "not a file of ECB reference rates (eurofxref): its root is no Envelope",
                    name);
        return false;
    }
    if (depth > ECB_DEPTH_MAX || ecb->document->count >= ECB_RATES_MAX) {
        ecb_problem(ecb, "too deep or too long for a file of ECB reference rates", NULL);
        return false;
    }
    if (name && strcmp(name, "Cube") == 0 && space && strcmp(space, ECB_NAMESPACE) == 0)
        ecb_cube(ecb);
    return true;
}

bool fx_ecb_read(struct reader *reader, struct slice text, struct document *ret)
{
    if (text.length > INT_MAX) {
        problems_add(reader->problems, reader->file, 1, 1,
                     "too long for a file of ECB reference rates");
        return false;
    }
    struct ecb ecb = {.reader = reader, .document = ret, .text = text};
    ecb.xml = xmlReaderForMemory(text.data, (int)text.length, NULL, NULL, XML_PARSE_NONET);
    if (!ecb.xml) {
        problems_add(reader->problems, reader->file, 1, 1, "out of memory while reading XML");
        return false;
    }
    xmlTextReaderSetStructuredErrorHandler(ecb.xml, (xmlStructuredErrorFunc)ecb_syntax, &ecb);
    uint32_t before = reader->problems->count + reader->problems->dropped;
    ret->count = 0;
    int more = xmlTextReaderRead(ecb.xml);
    while (more == 1 && ecb_node(&ecb))
        more = xmlTextReaderRead(ecb.xml);
    xmlFreeTextReader(ecb.xml);
    bool good = reader->problems->count + reader->problems->dropped == before;
    if (good && more < 0) {
        problems_add(reader->problems, reader->file, 1, 1, "not readable as XML");
        good = false;
    } else if (good && ret->count == 0) {
        problems_add(reader->problems, reader->file, 1, 1,
                     "no reference rates in it: get eurofxref-daily.xml from the ECB");
        good = false;
    }
    return good;
}
