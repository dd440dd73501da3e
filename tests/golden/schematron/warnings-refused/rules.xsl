<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl">
  <xsl:template match="/">
    <svrl:schematron-output title="orders">
      <xsl:for-each select="/Order/Line">
        <svrl:fired-rule context="Line"/>
        <xsl:if test="not(Quantity &gt; 0)">
          <svrl:failed-assert test="Quantity &gt; 0" id="ORD-01" flag="fatal" location="/Order/Line[{position()}]">
            <svrl:text>[ORD-01]-A line has
              a quantity.</svrl:text>
          </svrl:failed-assert>
        </xsl:if>
        <xsl:if test="Note">
          <svrl:successful-report test="Note" id="ORD-02" role="warning" location="/Order/Line[{position()}]"><svrl:text>Notes are not read</svrl:text></svrl:successful-report>
        </xsl:if>
      </xsl:for-each>
    </svrl:schematron-output>
  </xsl:template>
</xsl:stylesheet>
